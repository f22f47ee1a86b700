use super::expand;
use crate::function::Function;
use crate::implblock;
use crate::mistakes::Mistakes;
use crate::options::Options;

/// Bodies as they are while somebody types them.
const HALF_TYPED: [&str; 4] = [
    "let sum = x .",
    "let product = Product { price : x ,",
    "match x { 1 =>",
    "helper (x , & product",
];

/// Closes what is open, as an editor does before it asks for an expansion.
fn closed(body: &str) -> String {
    let mut open = Vec::new();
    for c in body.chars() {
        match c {
            '{' => open.push(" }"),
            '(' => open.push(")"),
            _ => {}
        }
    }
    open.into_iter().rev().fold(body.to_owned(), |body, close| body + close)
}

/// Without spaces, of which tokens know nothing.
fn dense(text: &str) -> String {
    text.replace([' ', '\n'], "")
}

#[test]
fn a_half_typed_body_keeps_its_tokens_and_the_function_its_companions() {
    for body in HALF_TYPED.map(closed) {
        let written = format!("async fn find(x: u64) -> u64 {{ {body} }}");
        let function = Function::parse(written.parse().expect("tokens")).expect(&body);
        let options = Options::parse("timeout = 60".parse().expect("tokens"), &mut Mistakes::new());
        let expansion = dense(&expand(&options, &function).to_string());
        assert!(expansion.contains(&dense(&format!("{{ {body} }}"))), "{expansion}");
        assert!(expansion.contains("structfind{}"));
        assert!(!expansion.contains("compile_error"), "{expansion}");
    }
}

#[test]
fn half_typed_methods_keep_theirs() {
    for body in HALF_TYPED.map(closed) {
        let written = format!(
            "impl Repo {{ #[cached] fn find(&self, x: u64) -> u64 {{ {body} }} fn other }}"
        );
        let item = written.parse().expect("tokens");
        let expansion = implblock::expand(&Options::default(), &item, Mistakes::new());
        let expansion = dense(&expansion.to_string());
        assert!(expansion.contains(&dense(&format!("{{ {body} }}"))), "{expansion}");
        assert!(expansion.contains("fnother") && expansion.contains("fnfind_invalidate("));
        assert!(!expansion.contains("compile_error"), "{expansion}");
    }
}
