//! The Lua scripts: each is one atomic step on one hash slot.

use std::sync::LazyLock;

use redis::{Arg, Cmd, ToRedisArgs};

/// A script, and the hash that names it once the server has seen it.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)and+;)*) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!($file)),+)));)*
    };
}

scripts! {
    /// The conditional write.
    PUT = "scripts/index.lua" and "scripts/put.lua";
    /// The end of a grant, without a condition.
    END = "scripts/index.lua" and "scripts/end.lua";
    /// The conditional removal.
    RETIRE = "scripts/retire.lua";
    /// A grant enters an index.
    ENTER = "scripts/index.lua" and "scripts/enter.lua";
    /// A grant takes a user code.
    CLAIM = "scripts/claim.lua";
    /// A grant gives its user code back.
    RELEASE = "scripts/release.lua";
    /// The replay guard.
    FIRST_USE = "scripts/first_use.lua";
    /// A client is registered or replaced.
    SET_CLIENT = "scripts/set_client.lua";
    /// A client is removed.
    REMOVE_CLIENT = "scripts/remove_client.lua";
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }
}

/// A command, or a script with its keys and arguments.
pub(super) enum Call {
    Command(Cmd),
    Script { by_hash: Cmd, script: &'static Script },
}

impl Call {
    pub(super) fn script(script: &'static Script, keys: &[&str], arguments: &[&[u8]]) -> Self {
        let mut by_hash = redis::cmd("EVALSHA");
        by_hash.arg(&script.hash).arg(keys.len()).arg(keys).arg(arguments);
        Self::Script { by_hash, script }
    }
}

impl Script {
    /// The call with the script instead of its hash, for a server that does not know the script yet.
    pub(super) fn whole(&self, by_hash: &Cmd) -> Cmd {
        let mut whole = redis::cmd("EVAL");
        whole.arg(self.code);
        for argument in by_hash.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                whole.arg(bytes);
            }
        }
        whole
    }
}

/// A command with its arguments.
pub(super) fn command(name: &str, arguments: impl ToRedisArgs) -> Call {
    let mut command = redis::cmd(name);
    command.arg(arguments);
    Call::Command(command)
}
