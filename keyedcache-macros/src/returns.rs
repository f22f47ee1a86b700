//! How a function hands its answer over: as it is, or in a future.

use syn::{
    AngleBracketedGenericArguments, GenericArgument, PathArguments, ReturnType, Signature, Type,
    TypeParamBound,
};

/// How a function hands its answer over.
pub(crate) enum Returns {
    /// It returns it.
    Answer,
    /// It is an `async fn`.
    Async,
    /// It returns `impl Future<Output = T>`.
    Future(Box<Type>),
    /// It returns `Pin<Box<dyn Future<Output = T>>>`, or a `BoxFuture` by name.
    Boxed(Box<Type>),
}

impl Returns {
    pub(crate) fn of(signature: &Signature) -> Self {
        if signature.asyncness.is_some() {
            return Self::Async;
        }
        let ReturnType::Type(_, returned) = &signature.output else { return Self::Answer };
        if let Type::ImplTrait(future) = &**returned
            && let Some(answer) = output(future.bounds.iter())
        {
            return Self::Future(answer);
        }
        match boxed(returned) {
            Some(answer) => Self::Boxed(answer),
            None => Self::Answer,
        }
    }
}

/// What a boxed future puts out, if this is one.
fn boxed(returned: &Type) -> Option<Box<Type>> {
    if let Some(arguments) = arguments_of(returned, &["BoxFuture", "LocalBoxFuture"]) {
        return types(arguments).next().cloned().map(Box::new);
    }
    let inner = types(arguments_of(returned, &["Pin"])?).next()?;
    match types(arguments_of(inner, &["Box"])?).next()? {
        Type::TraitObject(future) => output(future.bounds.iter()),
        _ => None,
    }
}

/// `T`, if one of the bounds is `Future<Output = T>`.
fn output<'a>(bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Box<Type>> {
    let paths = bounds.filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    });
    let future = paths.filter(|segment| segment.ident == "Future");
    let arguments = future.filter_map(|segment| angles(&segment.arguments));
    arguments.flat_map(|arguments| &arguments.args).find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => {
            Some(Box::new(output.ty.clone()))
        }
        _ => None,
    })
}

/// The arguments of a type, if its name is one of these.
fn arguments_of<'a>(ty: &'a Type, names: &[&str]) -> Option<&'a AngleBracketedGenericArguments> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    names.iter().any(|name| last.ident == name).then(|| angles(&last.arguments))?
}

fn angles(arguments: &PathArguments) -> Option<&AngleBracketedGenericArguments> {
    match arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

fn types(arguments: &AngleBracketedGenericArguments) -> impl Iterator<Item = &Type> {
    arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
