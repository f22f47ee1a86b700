//! The scripts: each multi-step operation is one, and takes place as a whole or not at all.
//!
//! They are called by their digest. A server that does not know one has run nothing, so the call is
//! sent again with the text, whatever the operation; see [`is_unknown`].

use std::sync::OnceLock;

use redis::{Cmd, ServerErrorKind, Value};

/// A script and its digest.
#[derive(Debug)]
pub(super) struct Script {
    text: &'static str,
    digest: OnceLock<String>,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)*) => {$(
        pub(super) static $name: Script = Script {
            text: concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+),
            digest: OnceLock::new(),
        };
    )*

        /// Every script.
        pub(super) static ALL: &[&Script] = &[$(&$name),*];
    };
}

scripts! {
    SAVE = "shared" "save";
    DELETE = "delete";
    LEASE = "shared" "lease";
    RENEW = "shared" "renew";
    RELEASE = "shared" "release";
    STANDING = "shared" "standing";
    TOUCH = "shared" "touch";
    INCREMENT = "shared" "increment";
    CREATE = "create";
    EXTEND = "extend";
    STRIKE = "strike";
    ERA = "era";
    ADMIT = "admit";
}

impl Script {
    /// The command that makes it known.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text);
        command
    }

    fn digest(&self) -> &str {
        self.digest.get_or_init(|| redis::Script::new(self.text).get_hash().to_owned())
    }
}

/// One call of a script. Its keys are on one slot.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What is being done, for messages: a verb.
    pub(super) operation: &'static str,
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
    /// Whether it may be sent again when its reply was lost.
    pub(super) is_repeatable: bool,
}

impl Call {
    /// A call that must not be sent twice.
    pub(super) fn new(
        operation: &'static str,
        script: &'static Script,
        keys: impl IntoIterator<Item = String>,
    ) -> Self {
        let keys = keys.into_iter().collect();
        Self { operation, script, keys, arguments: Vec::new(), is_repeatable: false }
    }

    /// The same, which may.
    pub(super) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// With one more argument.
    pub(super) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.arguments.push(argument.as_ref().to_vec());
        self
    }

    /// The name by which the node is found that is to run it.
    pub(super) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// The command that calls it by its digest.
    pub(super) fn by_digest(&self) -> Cmd {
        self.command("EVALSHA", self.script.digest())
    }

    /// The command that brings the text.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let bytes: usize = self.arguments.iter().map(Vec::len).sum();
        let names: usize = self.keys.iter().map(String::len).sum();
        let count = 3 + self.keys.len() + self.arguments.len();
        let mut command = Cmd::with_capacity(count, name.len() + script.len() + 8 + bytes + names);
        command.arg(name).arg(script).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument.as_slice());
        }
        command
    }
}

/// Whether the server did not know the script, and so has run nothing.
pub(super) fn is_unknown(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_digests_of_their_own() {
        let mut digests: Vec<_> = ALL.iter().map(|script| script.digest()).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), ALL.len());
    }

    #[test]
    fn call_is_found_by_its_first_key() {
        let call = Call::new("renew", &RENEW, ["a".to_owned(), "{a}:lease".to_owned()]).arg("t");
        assert_eq!(call.key(), "a");
        let words: Vec<_> = call.by_text().args_iter().map(|word| format!("{word:?}")).collect();
        assert_eq!(words.len(), 6);
    }
}
