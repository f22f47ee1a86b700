//! What is said of each mistake: one file in `ui/` for each, with the messages it gets.

#[test]
fn mistakes_get_messages_one_is_glad_to_get() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*.rs");
}
