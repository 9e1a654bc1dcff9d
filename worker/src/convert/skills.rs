//! Skills as they are advertised.

use openclaw_proto::v1;
use openclaw_skill::advert::{Advert, Executor};

/// A skill found on disk.
pub fn skill(advert: &Advert) -> v1::Skill {
    let executor = match advert.executor {
        Executor::Command => v1::SkillExecutor::Command,
        Executor::Builtin => v1::SkillExecutor::Builtin,
        Executor::Agent => v1::SkillExecutor::Agent,
    };
    v1::Skill {
        name: advert.name.clone(),
        version: advert.version.clone(),
        category: advert.category.clone(),
        description: advert.description.clone(),
        tags: advert.tags.clone(),
        content_hash: advert.content_hash.clone(),
        executor: executor.into(),
        input_schema: advert.input_schema.clone(),
        output_schema: advert.output_schema.clone(),
        dependencies: advert.dependencies.clone(),
        eligible: advert.eligible,
        reasons: advert.reasons.clone(),
        costs_money: advert.costs_money(),
    }
}
