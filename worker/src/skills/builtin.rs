//! Builtins as they are advertised.

use openclaw_proto::v1;

use crate::executor::Builtin;

/// One builtin: always eligible. Its version is that of the worker.
pub(super) fn advert(builtin: Builtin, build: &str) -> v1::Skill {
    v1::Skill {
        name: builtin.name().to_owned(),
        version: build.to_owned(),
        category: "system".to_owned(),
        description: builtin.description().to_owned(),
        tags: vec!["builtin".to_owned()],
        content_hash: String::new(),
        executor: v1::SkillExecutor::Builtin.into(),
        input_schema: builtin.input_schema().to_owned(),
        output_schema: builtin.output_schema().to_owned(),
        dependencies: Vec::new(),
        eligible: true,
        reasons: Vec::new(),
        costs_money: false,
    }
}
