use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{DiscoverError, Discovered, Skill, discover, load};

/// A folder `skills` in a folder of its own, so that `recipes` can stand beside it.
struct Tree {
    dir: TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(tree.root()).expect("the skills folder");
        tree
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("skills")
    }

    fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
        self
    }

    fn skill(self, path: &str) -> Self {
        let name = Path::new(path)
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        self.file(
            &format!("skills/{path}/SKILL.md"),
            format!("---\nname: {name}\ndescription: d\n---\n"),
        )
    }

    fn found(&self) -> Vec<Discovered> {
        discover(&self.root()).expect("the root can be searched")
    }

    fn names(&self) -> Vec<String> {
        self.found()
            .into_iter()
            .filter(|found| found.skill.is_ok())
            .map(|found| found.name)
            .collect()
    }

    fn reason(&self, name: &str) -> String {
        let found = self
            .found()
            .into_iter()
            .find(|found| found.name == name && found.skill.is_err());
        found
            .expect("a folder of this name that is no skill")
            .skill
            .expect_err("a reason")
    }

    fn good(&self, name: &str) -> Skill {
        let found = self
            .found()
            .into_iter()
            .find(|found| found.name == name)
            .expect("found");
        found.skill.expect("a skill")
    }
}

#[test]
fn skills_are_found_six_levels_down_and_no_deeper() {
    let tree = Tree::new()
        .skill("one")
        .skill("a/b/c/d/e/six")
        .skill("a/b/c/d/e/f/seven");
    assert_eq!(tree.names(), ["one", "six"]);
}

#[test]
fn dot_folders_and_node_modules_are_not_entered() {
    let tree = Tree::new()
        .skill(".hidden/x")
        .skill("node_modules/y")
        .skill(".z")
        .skill("ok");
    assert_eq!(tree.names(), ["ok"]);
}

#[test]
fn what_lies_inside_a_skill_belongs_to_it() {
    let tree = Tree::new().skill("outer").skill("outer/inner");
    assert_eq!(tree.names(), ["outer"]);
}

#[test]
fn a_folder_may_have_either_manifest_or_both() {
    let tree = Tree::new()
        .skill("md")
        .file(
            "skills/json/skill.json",
            r#"{"name": "json", "run": {"command": ["x"]}}"#,
        )
        .file("skills/both/SKILL.md", "no frontmatter here")
        .file(
            "skills/both/skill.json",
            r#"{"name": "both", "description": "from JSON"}"#,
        )
        .file("skills/neither/README.md", "x");
    assert_eq!(tree.names(), ["both", "json", "md"]);
    assert!(tree.good("json").run().is_some());
}

#[test]
fn a_bad_manifest_costs_that_skill_only() {
    let tree = Tree::new()
        .skill("good")
        .file("skills/bad/SKILL.md", "---\nname: bad\ndescription: d\nmetadata:\n  openclaw:\n    requires:\n      bins: {a: 1}\n---\n")
        .file("skills/broken/skill.json", "{\n\n  oops\n}");
    assert_eq!(tree.names(), ["good"]);
    assert!(
        tree.reason("bad").starts_with("manifest line 7: "),
        "{}",
        tree.reason("bad")
    );
    assert!(
        tree.reason("broken").starts_with("manifest line 3: "),
        "{}",
        tree.reason("broken")
    );
}

#[test]
fn files_that_are_no_manifests_are_refused_by_name() {
    let tree = Tree::new()
        .file("skills/large/SKILL.md", vec![b'x'; 256_001])
        .file("skills/limit/SKILL.md", vec![b'x'; 256_000])
        .file("skills/bytes/SKILL.md", b"one\ntwo \xff\n");
    assert_eq!(
        tree.reason("large"),
        "manifest: 256001 bytes, the limit is 256000 (SKILL.md)"
    );
    assert_eq!(
        tree.reason("bytes"),
        "manifest line 2: not UTF-8 text: save the file as UTF-8 (SKILL.md)"
    );
    assert_eq!(tree.names(), ["limit"]);
}

#[test]
fn of_two_skills_of_one_name_the_first_by_path_keeps_it() {
    let tree = Tree::new().skill("a/same").skill("b/same");
    let found = tree.found();
    assert_eq!(found.len(), 2);
    assert!(found[0].skill.is_ok() && found[0].dir.ends_with("a/same"));
    assert!(
        tree.reason("same")
            .ends_with("a/same has the name same already"),
        "{}",
        tree.reason("same")
    );
}

#[test]
fn a_recipe_makes_an_untouched_skill_runnable() {
    let recipe =
        r#"{"run": {"command": ["whisper", "{input}"]}, "requires": {"bins": ["ffmpeg"]}}"#;
    let tree = Tree::new().skill("inside").skill("beside").skill("none");
    let without = tree.good("inside").content_hash;
    let tree = tree
        .file("skills/recipes/inside.json", recipe)
        .file("recipes/inside.json", "this one does not count")
        .file("recipes/beside.json", r#"{"command": ["x"]}"#);
    assert_eq!(
        tree.names(),
        ["beside", "inside", "none"],
        "the folder of recipes is none of skills"
    );
    let skill = tree.good("inside");
    assert!(skill.run().is_some());
    assert_eq!(skill.recipe.expect("a recipe").gates.bins, ["ffmpeg"]);
    assert_ne!(
        skill.content_hash, without,
        "what a skill does is its recipe's doing too"
    );
    assert!(tree.good("beside").run().is_some());
    assert!(tree.good("none").run().is_none());
}

#[test]
fn a_bad_recipe_costs_its_skill_only() {
    let tree = Tree::new()
        .skill("a")
        .skill("b")
        .skill("c")
        .file(
            "recipes/a.json",
            "{\n  \"run\": {\n    \"command\": []\n  }\n}",
        )
        .file(
            "recipes/b.json",
            r#"{"description": "forgot the run block"}"#,
        );
    assert_eq!(
        tree.reason("a"),
        "recipe line 3: an argv must begin with a program (recipes/a.json)"
    );
    assert_eq!(
        tree.reason("b"),
        "recipe: it has no \"run\" block, which is all a recipe is for (recipes/b.json)"
    );
    assert_eq!(tree.names(), ["c"]);
}

#[test]
fn a_skill_that_says_itself_how_it_runs_keeps_its_word() {
    let tree = Tree::new()
        .file(
            "skills/own/skill.json",
            r#"{"name": "own", "run": {"command": ["mine"]}}"#,
        )
        .file("recipes/own.json", r#"{"command": ["theirs"]}"#);
    let skill = tree.good("own");
    assert!(skill.recipe.is_none());
    assert!(
        skill.notes[0].ends_with("is not used: the skill says itself how it runs"),
        "{:?}",
        skill.notes
    );
}

#[test]
fn a_root_that_is_itself_a_skill_counts_when_nothing_lies_below() {
    let tree = Tree::new().file("skills/SKILL.md", "---\nname: skills\n---\n");
    assert_eq!(tree.names(), ["skills"]);
    assert_eq!(tree.skill("below").names(), ["below"]);
}

#[test]
fn one_folder_can_be_loaded_alone() {
    let tree = Tree::new()
        .skill("x")
        .file("skills/recipes/x.json", r#"{"command": ["x"]}"#);
    let found = load(&tree.root().join("x"));
    assert!(found.skill.expect("a skill").run().is_some());
    assert!(load(&tree.root().join("nothing")).skill.is_err());
}

#[test]
fn a_root_that_is_not_there_is_an_error_that_names_it() {
    let error = discover(Path::new("/nonexistent/skills")).expect_err("no such folder");
    assert!(matches!(error, DiscoverError::Root { .. }));
    assert!(error.to_string().contains("/nonexistent/skills"), "{error}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_that_leaves_the_root_is_refused_and_said_so() {
        let tree = Tree::new()
            .skill("ok")
            .file("elsewhere/far/SKILL.md", "---\nname: far\n---\n");
        symlink(
            tree.dir.path().join("elsewhere/far"),
            tree.root().join("linked"),
        )
        .expect("a link");
        symlink(tree.dir.path(), tree.root().join("no-skill")).expect("a link");
        assert_eq!(tree.names(), ["ok"]);
        assert!(
            tree.reason("linked").contains("outside"),
            "{}",
            tree.reason("linked")
        );
        assert_eq!(
            tree.found().len(),
            2,
            "a link to something that is no skill is nobody's business"
        );
    }

    #[test]
    fn a_manifest_that_is_a_link_out_of_the_root_is_refused() {
        let tree = Tree::new()
            .skill("ok")
            .file("secret.md", "---\nname: secret\n---\n");
        fs::create_dir(tree.root().join("sly")).expect("a folder");
        symlink(
            tree.dir.path().join("secret.md"),
            tree.root().join("sly/SKILL.md"),
        )
        .expect("a link");
        assert!(
            tree.reason("sly").contains("which lies outside"),
            "{}",
            tree.reason("sly")
        );
    }

    #[test]
    fn links_inside_are_followed_and_each_skill_is_found_once() {
        let tree = Tree::new().skill("real/x");
        symlink(tree.root().join("real"), tree.root().join("alias")).expect("a link");
        symlink(tree.root(), tree.root().join("real/loop")).expect("a link");
        assert_eq!(tree.names(), ["x"]);
        assert_eq!(tree.found().len(), 1);
    }

    #[test]
    fn dangling_links_are_survived() {
        let tree = Tree::new().skill("ok");
        symlink("nowhere", tree.root().join("gone")).expect("a link");
        fs::create_dir(tree.root().join("half")).expect("a folder");
        symlink("nowhere", tree.root().join("half/SKILL.md")).expect("a link");
        assert_eq!(tree.names(), ["ok"]);
    }

    #[test]
    fn a_link_inside_a_skill_that_leaves_it_costs_the_skill() {
        let tree = Tree::new().skill("ok").skill("leaky");
        symlink("/etc", tree.root().join("leaky/etc")).expect("a link");
        assert_eq!(
            tree.reason("leaky"),
            "content: the link etc leaves the skill's folder"
        );
        assert_eq!(tree.names(), ["ok"]);
    }
}
