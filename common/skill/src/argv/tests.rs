use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Context, ExpandError, Template, TemplateError, batch_file_refusal, expand};

/// A task with two input files and these parameters, on a machine whose Python is `py -3`.
struct Task {
    params: Value,
    inputs: Vec<(String, PathBuf)>,
    python: Option<Vec<OsString>>,
}

impl Task {
    fn with(params: Value) -> Self {
        let inputs = ["talk.m4a", "style"]
            .map(|name| (name.to_owned(), PathBuf::from(format!("/t/in/{name}"))));
        Self {
            params,
            inputs: inputs.to_vec(),
            python: Some(vec!["py".into(), "-3".into()]),
        }
    }

    fn without_inputs(mut self) -> Self {
        self.inputs.clear();
        self
    }

    fn python(mut self, words: Option<&[&str]>) -> Self {
        self.python = words.map(|words| words.iter().map(OsString::from).collect());
        self
    }

    fn expand(&self, template: Value) -> Result<Vec<String>, ExpandError> {
        let template: Template = serde_json::from_value(template).expect("a template");
        let context = Context {
            base_dir: Path::new("/skills/s"),
            python: self.python.as_deref(),
            params: &self.params,
            inputs: &self.inputs,
            input_dir: Path::new("/t/in"),
            output_dir: Path::new("/t/out"),
        };
        let argv = expand(&template, &context)?;
        Ok(argv
            .into_iter()
            .map(|word| word.into_string().expect("UTF-8"))
            .collect())
    }
}

fn refused(template: Value) -> String {
    serde_json::from_value::<Template>(template)
        .expect_err("refused")
        .to_string()
}

#[test]
fn every_placeholder_is_filled() {
    let task = Task::with(json!({"n": 3}));
    let argv = task.expand(json!([
        "{python}",
        "{baseDir}/main.py",
        "--in={input_dir}",
        "{output_dir}",
        "{input.style}",
        "{input}",
        "{inputs}",
        "n={params.n}"
    ]));
    assert_eq!(
        argv.expect("expands"),
        [
            "py",
            "-3",
            "/skills/s/main.py",
            "--in=/t/in",
            "/t/out",
            "/t/in/style",
            "/t/in/talk.m4a",
            "/t/in/talk.m4a",
            "/t/in/style",
            "n=3"
        ]
    );
}

#[test]
fn strings_are_verbatim_and_other_values_are_json() {
    let task = Task::with(
        json!({"s": "a b; rm -rf $HOME", "n": 1.5, "b": true, "o": {"k": [1]}, "e": ""}),
    );
    let argv = task.expand(json!([
        "p",
        "{params.s}",
        "{params.n}",
        "{params.b}",
        "{params.o}",
        "{params.e}"
    ]));
    assert_eq!(
        argv.expect("expands"),
        ["p", "a b; rm -rf $HOME", "1.5", "true", r#"{"k":[1]}"#, ""]
    );
}

#[test]
fn a_list_becomes_arguments_only_where_it_stands_alone() {
    let task = Task::with(json!({"files": ["a b", 2, null, {"x": 1}], "none": []}));
    let argv = task.expand(json!(["p", "{params.files}", "{params.none}", "end"]));
    assert_eq!(
        argv.expect("expands"),
        ["p", "a b", "2", "null", r#"{"x":1}"#, "end"]
    );
    assert_eq!(
        task.expand(json!(["p", "--f={params.files}"])),
        Err(ExpandError::ListInText("files".to_owned()))
    );
}

#[test]
fn nested_parameters_are_reached_by_dots() {
    let task = Task::with(json!({"a": {"b": {"c": "deep"}}}));
    assert_eq!(
        task.expand(json!(["p", "{params.a.b.c}"]))
            .expect("expands"),
        ["p", "deep"]
    );
    assert_eq!(
        task.expand(json!(["p", "{params.a.x.c}"])),
        Err(ExpandError::MissingParameter("a.x.c".to_owned()))
    );
}

#[test]
fn a_group_stands_or_falls_with_what_it_names() {
    let template = json!([
        "p",
        ["--time", "{params.time}"],
        ["-s", "{input.style}"],
        ["--first", "{input}"],
        ["-v"]
    ]);
    let given = Task::with(json!({"time": "10"})).expand(template.clone());
    assert_eq!(
        given.expect("expands"),
        [
            "p",
            "--time",
            "10",
            "-s",
            "/t/in/style",
            "--first",
            "/t/in/talk.m4a",
            "-v"
        ]
    );
    let absent = Task::with(json!({"time": null}))
        .without_inputs()
        .expand(template.clone());
    assert_eq!(absent.expect("expands"), ["p", "-v"]);
    let nothing = Task::with(Value::Null).without_inputs().expand(template);
    assert_eq!(nothing.expect("expands"), ["p", "-v"]);
}

#[test]
fn false_zero_and_empty_text_are_given_values() {
    let task = Task::with(json!({"f": false, "z": 0, "e": ""}));
    let argv = task.expand(json!(["p", ["{params.f}"], ["{params.z}"], ["{params.e}"]]));
    assert_eq!(argv.expect("expands"), ["p", "false", "0", ""]);
}

#[test]
fn what_is_missing_is_named() {
    let task = Task::with(json!({})).without_inputs().python(None);
    assert_eq!(
        task.expand(json!(["p", "{params.time}"]))
            .expect_err("missing")
            .to_string(),
        "parameter `time` is required by the skill's command and was not given"
    );
    assert_eq!(
        task.expand(json!(["p", "{input.audio}"]))
            .expect_err("missing")
            .to_string(),
        "input file `audio` is required by the skill's command and was not given (--input audio=PATH)"
    );
    assert_eq!(
        task.expand(json!(["p", "{input}"])),
        Err(ExpandError::NoInput)
    );
    assert_eq!(task.expand(json!(["{python}"])), Err(ExpandError::NoPython));
}

#[test]
fn braces_are_written_twice() {
    let task = Task::with(json!({}));
    assert_eq!(
        task.expand(json!(["p", "{{{baseDir}}}", "{{}}"]))
            .expect("expands"),
        ["p", "{/skills/s}", "{}"]
    );
}

#[test]
fn python_of_two_words_stands_alone() {
    let task = Task::with(json!({}));
    assert_eq!(
        task.expand(json!(["env", "X={python}"])),
        Err(ExpandError::PythonInText("py -3".to_owned()))
    );
    let single = task.python(Some(&["/usr/bin/python3"]));
    assert_eq!(
        single
            .expand(json!(["env", "X={python}"]))
            .expect("expands"),
        ["env", "X=/usr/bin/python3"]
    );
}

#[test]
fn a_nul_is_refused_wherever_it_comes_from() {
    let task = Task::with(json!({"x": "a\0b", "list": ["a\0"]}));
    assert_eq!(
        task.expand(json!(["p", "{params.x}"])),
        Err(ExpandError::Nul("x".to_owned()))
    );
    assert_eq!(
        task.expand(json!(["p", "{params.list}"])),
        Err(ExpandError::Nul("list".to_owned()))
    );
    assert_eq!(Template::parse(&["p\0"]), Err(TemplateError::Nul));
}

#[test]
fn batch_files_take_no_arguments() {
    let task = Task::with(json!({"tool": "C:/x/RUN.CMD"}));
    assert!(matches!(
        task.expand(json!(["build.bat", "x"])),
        Err(ExpandError::BatchFile(_))
    ));
    assert!(matches!(
        task.expand(json!(["{params.tool}", "&calc"])),
        Err(ExpandError::BatchFile(_))
    ));
    assert!(task.expand(json!(["build.bat"])).is_ok());
    assert_eq!(batch_file_refusal(Path::new("/x/run.cmd.exe"), 3), None);
}

#[test]
fn a_template_that_means_nothing_is_refused_with_the_reason() {
    assert_eq!(refused(json!([])), "an argv must begin with a program");
    assert_eq!(refused(json!([["a"]])), "an argv must begin with a program");
    assert_eq!(refused(json!([""])), "an argv must begin with a program");
    assert!(refused(json!(["p", "{params.a"])).starts_with("unmatched `{` in `{params.a`"));
    assert!(refused(json!(["p", "a}"])).starts_with("unmatched `}` in `a}`"));
    assert!(refused(json!(["p", "{base}"])).starts_with("unknown placeholder `{base}`"));
    assert!(refused(json!(["p", "{params.}"])).starts_with("unknown placeholder"));
    assert!(refused(json!(["p", "{params.a..b}"])).starts_with("unknown placeholder"));
    assert!(refused(json!(["p", "{input.}"])).starts_with("unknown placeholder"));
    assert!(refused(json!("ffmpeg -i x")).contains("sequence"));
    assert!(refused(json!(["p", {"a": 1}])).contains("an argument, or a list of arguments"));
    assert!(refused(json!(["p", [["nested"]]])).contains("not further groups"));
}

#[test]
fn a_template_tells_what_it_needs() {
    let template = Template::parse(&[
        "ffmpeg",
        "{baseDir}/a.sh",
        "{baseDir}/{params.x}",
        "{baseDir}",
    ])
    .expect("parses");
    assert_eq!(template.literal_program(), Some("ffmpeg"));
    assert_eq!(template.own_files().collect::<Vec<_>>(), ["a.sh"]);
    assert_eq!(template.own_program(), None);
    assert!(template.has_arguments());
    assert!(!template.needs_python());
    let own = Template::parse(&["{baseDir}/bin/tool"]).expect("parses");
    assert_eq!(
        (
            own.literal_program(),
            own.own_program(),
            own.has_arguments()
        ),
        (None, Some("bin/tool"), false)
    );
    assert!(
        Template::parse(&["{python}"])
            .expect("parses")
            .needs_python()
    );
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_utf8_survive() {
    use std::os::unix::ffi::OsStrExt;
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"/t/\xff"));
    let template = Template::parse(&["p", "{output_dir}/x"]).expect("parses");
    let context = Context {
        base_dir: odd,
        python: None,
        params: &Value::Null,
        inputs: &[],
        input_dir: odd,
        output_dir: odd,
    };
    let argv = expand(&template, &context).expect("expands");
    assert_eq!(argv[1].as_bytes(), b"/t/\xff/x");
}

proptest! {
    #[test]
    fn no_text_panics_the_template_parser(elements in prop::collection::vec("\\PC*|[{}a-z.]*", 0..6)) {
        let _ = Template::parse(&elements);
    }

    #[test]
    fn plain_text_comes_through_unchanged(text in "[^{}\0]{1,40}") {
        let argv = Task::with(json!({})).expand(json!(["p", text.clone()])).expect("expands");
        prop_assert_eq!(&argv[1], &text);
    }

    #[test]
    fn a_parameter_is_always_exactly_one_argument(text in "[^\0]{0,40}") {
        let argv = Task::with(json!({"x": text.clone()})).expand(json!(["p", "{params.x}", "end"])).expect("expands");
        prop_assert_eq!(argv, vec!["p".to_owned(), text, "end".to_owned()]);
    }
}
