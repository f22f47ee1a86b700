//! Reads the sources of one crate: its modules, and what each of them names.
//!
//! Modules are found as the compiler finds them, from `lib.rs` down. What is compiled for tests
//! only is left out. Paths are collected from the tokens, so those inside macros count too, and are
//! followed through `use`, renames and re-exports to the module they end in. Features are not
//! evaluated: everything counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::{Item, ItemMod, UseTree};

use crate::paths::collect_paths;

/// The path of a module or an item: `["store", "disk"]`; the crate itself is empty.
pub(crate) type Names = Vec<String>;

/// The modules of one crate, by path.
#[derive(Default)]
pub(crate) struct Sources {
    modules: BTreeMap<Names, Module>,
}

/// One module, without those below it.
#[derive(Default)]
pub(crate) struct Module {
    /// The file it is in.
    pub(crate) file: PathBuf,
    /// What its `use` items bind: a name, and the path as written.
    bindings: BTreeMap<String, Names>,
    /// Every path in it as written; one that begins with `::` begins with an empty name.
    written: Vec<Names>,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// Into a module of the crate; then what it names there.
    Inside(Names, Names),
    /// To another crate, or to something that is no module: a type, a local name.
    Outside(Names),
}

impl Target {
    /// The whole path, from the root of its crate.
    pub(crate) fn path(&self) -> Names {
        match self {
            Self::Inside(module, item) => join(module, item.iter().cloned()),
            Self::Outside(path) => path.clone(),
        }
    }
}

impl Sources {
    /// Reads the crate whose root is `lib.rs` in `folder`.
    pub(crate) fn read(folder: &Path) -> Self {
        Reader::new(&|file| fs::read_to_string(file).ok()).read(folder)
    }

    /// The same, of sources that are not on disk.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let text = |wanted: &Path| {
            let found = files.iter().find(|(file, _)| Path::new(file) == wanted);
            found.map(|(_, text)| (*text).to_owned())
        };
        Reader::new(&text).read(Path::new(""))
    }

    /// The modules and their paths.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (&Names, &Module)> {
        self.modules.iter()
    }

    /// Whether there is a module of this path.
    pub(crate) fn has(&self, path: &[String]) -> bool {
        self.modules.contains_key(path)
    }

    /// Everything that a module names, and where it leads.
    pub(crate) fn targets<'a>(&'a self, path: &'a Names) -> impl Iterator<Item = Target> + 'a {
        self.modules[path].written.iter().map(|written| self.resolve(path, written, 0))
    }

    fn resolve(&self, from: &[String], written: &[String], followed: usize) -> Target {
        let Some((head, rest)) = written.split_first() else {
            return Target::Inside(from.to_vec(), Vec::new());
        };
        match head.as_str() {
            "" => return Target::Outside(rest.to_vec()),
            "crate" => return self.descend(&[], rest, followed),
            "self" => return self.descend(from, rest, followed),
            "super" => {
                let parent = &from[..from.len().saturating_sub(1)];
                // The rest may be `super` again, or a name in the parent; `self` makes it the latter.
                let head = if rest.first().is_some_and(|name| name == "super") {
                    &[]
                } else {
                    &["self".to_owned()][..]
                };
                return self.resolve(parent, &join(head, rest.iter().cloned()), followed);
            }
            _ => {}
        }
        if self.has(&join(from, [head.clone()])) || self.modules[from].bindings.contains_key(head) {
            return self.descend(from, written, followed);
        }
        Target::Outside(written.to_vec())
    }

    /// Follows `names` from the module `base` through modules and re-exports.
    fn descend(&self, base: &[String], names: &[String], followed: usize) -> Target {
        /// More re-exports in a row than anybody writes: they go in circles.
        const ENDLESS: usize = 16;

        let Some((first, rest)) = names.split_first() else {
            return Target::Inside(base.to_vec(), Vec::new());
        };
        let child = join(base, [first.clone()]);
        if self.has(&child) {
            return self.descend(&child, rest, followed);
        }
        match self.modules[base].bindings.get(first) {
            Some(bound) if followed < ENDLESS => {
                self.resolve(base, &join(bound, rest.iter().cloned()), followed + 1)
            }
            _ => Target::Inside(base.to_vec(), names.to_vec()),
        }
    }
}

/// Follows `mod` items from file to file.
struct Reader<'a> {
    text: &'a dyn Fn(&Path) -> Option<String>,
    sources: Sources,
}

impl<'a> Reader<'a> {
    fn new(text: &'a dyn Fn(&Path) -> Option<String>) -> Self {
        Self { text, sources: Sources::default() }
    }

    fn read(mut self, folder: &Path) -> Sources {
        self.add_file(&[], &folder.join("lib.rs"), folder);
        self.sources
    }

    /// Adds the module `path`, whose text is in `file` and whose own modules are in `folder`.
    fn add_file(&mut self, path: &[String], file: &Path, folder: &Path) {
        let text = (self.text)(file).unwrap_or_else(|| panic!("no file {}", file.display()));
        let parsed = syn::parse_file(&text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add_items(path, file, folder, parsed.items);
    }

    fn add_items(&mut self, path: &[String], file: &Path, folder: &Path, items: Vec<Item>) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        for item in items.into_iter().filter(|item| !is_for_tests(item)) {
            match item {
                Item::Mod(item) => self.add_child(path, file, folder, item),
                Item::Use(item) => {
                    let absolute = item.leading_colon.map(|_| String::new());
                    module.add_use(absolute.as_slice(), &item.tree);
                }
                other => collect_paths(other.to_token_stream(), &mut module.written),
            }
        }
        self.sources.modules.insert(path.to_vec(), module);
    }

    fn add_child(&mut self, path: &[String], file: &Path, folder: &Path, item: ItemMod) {
        let name = item.ident.to_string();
        let below = folder.join(&name);
        let path = join(path, [name.clone()]);
        if let Some((_, items)) = item.content {
            return self.add_items(&path, file, &below, items);
        }
        let flat = folder.join(format!("{name}.rs"));
        let own = if (self.text)(&flat).is_some() { flat } else { below.join("mod.rs") };
        self.add_file(&path, &own, &below);
    }
}

impl Module {
    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &dyn ToString| join(before, [name.to_string()]);
        let (binding, path) = match tree {
            UseTree::Path(path) => return self.add_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_use(before, tree));
            }
            UseTree::Glob(_) => (None, with(&"*")),
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned(), before.to_vec())
            }
            UseTree::Name(name) => (Some(name.ident.to_string()), with(&name.ident)),
            UseTree::Rename(renamed) => {
                let itself = renamed.ident == "self";
                let path = if itself { before.to_vec() } else { with(&renamed.ident) };
                (Some(renamed.rename.to_string()), path)
            }
        };
        // `use redis;` binds the name it is found by: nothing to follow.
        if let Some(binding) = binding.filter(|name| path != [name.clone()]) {
            self.bindings.insert(binding, path.clone());
        }
        self.written.push(path);
    }
}

/// Whether the item bears `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_for_tests(item: &Item) -> bool {
    let tokens: Vec<_> = item.to_token_stream().into_iter().collect();
    tokens
        .chunks_exact(2)
        .take_while(|pair| matches!(pair, [TokenTree::Punct(_), TokenTree::Group(_)]))
        .map(|pair| pair[1].to_string().replace(char::is_whitespace, ""))
        .any(|attribute| attribute == "[cfg(test)]" || attribute.starts_with("[cfg(all(test,"))
}

fn join(path: &[String], more: impl IntoIterator<Item = String>) -> Names {
    path.iter().cloned().chain(more).collect()
}
