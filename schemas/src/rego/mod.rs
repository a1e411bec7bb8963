//! Rego modules that deny: the rule `rego` of a policy.
//!
//! A module is asked for `deny` in its own package and for nothing else: each element of it is a denial, and nothing that
//! a module says allows anything. It sees `input`, and no data, clock, network, environment or chance. What one
//! evaluation may use is bounded in [`budget`]; every bound that is met is an error, never an answer.
//! The language is [Rego](https://www.openpolicyagent.org/docs/policy-language), version 1, without what
//! [`language`] refuses, evaluated by the `regorus` interpreter. Built with the cargo feature `rego` only.

use std::fmt;

use serde_json::Value as Json;

pub mod budget;
mod functions;
mod language;

pub use budget::Exceeded;

/// The longest module, in bytes.
pub const MAX_MODULE_BYTES: usize = 64 << 10;
/// The longest line of a module, in characters.
const MAX_LINE_CHARS: usize = 1_024;
/// The most rules of a module.
pub const MAX_RULES: usize = 500;
/// The most that a module is given, in bytes of JSON.
pub const MAX_INPUT_BYTES: usize = 4 << 20;
/// The most denials of one module.
pub const MAX_DENIALS: usize = 1_000;

/// Why a module is refused, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct ModuleError {
    /// The byte at which it is.
    pub at: usize,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl ModuleError {
    fn new(at: usize, expected: &str, found: &str) -> Self {
        Self { at, expected: expected.to_owned(), found: found.chars().take(300).collect() }
    }
}

/// Why a module gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// It is none that would be loaded.
    #[error("a module that is refused: {0}")]
    Module(#[from] ModuleError),
    /// It would have used too much.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// There is more to look at than a module may be given.
    #[error("more than {MAX_INPUT_BYTES} bytes of input")]
    Input,
    /// The interpreter says so.
    #[error("an error of the module: {0}")]
    Failed(String),
    /// `deny` has no value, or another than a set or an array of denials.
    #[error("deny is {0}, not a set or an array of texts, or of objects with msg and id")]
    Answer(&'static str),
    /// More denials than are told.
    #[error("more than {MAX_DENIALS} denials")]
    Denials,
}

/// One denial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// The name that a waiver gives it: the member `id`, else the message.
    pub id: String,
    /// The message.
    pub message: String,
}

/// Demands that a module can be evaluated.
///
/// # Errors
/// [`ModuleError`]: it does not parse, has no `deny`, calls what there is not, or uses what is refused.
pub fn lint(text: &str) -> Result<(), ModuleError> {
    let text = text.to_owned();
    let checked = budget::within(move || prepared(&text).map(drop));
    checked.unwrap_or_else(|bound| {
        Err(ModuleError::new(0, "a module that can be checked", &bound.to_string()))
    })
}

/// Evaluates `deny` of a module over an input. The denials are in the order of their names and each there once.
///
/// # Errors
/// [`EvaluationError`], which is no permission.
pub fn denials(text: &str, input: &Json) -> Result<Vec<Denial>, EvaluationError> {
    let (text, input) = (text.to_owned(), input.to_string());
    if input.len() > MAX_INPUT_BYTES {
        return Err(EvaluationError::Input);
    }
    budget::within(move || evaluated(&text, &input))?
}

fn evaluated(text: &str, input: &str) -> Result<Vec<Denial>, EvaluationError> {
    let failed = |e: &dyn fmt::Display| EvaluationError::Failed(told(&e.to_string()));
    let (mut engine, rule) = prepared(text)?;
    let input = regorus::Value::from_json_str(input).map_err(|e| failed(&e))?;
    engine.set_input(input);
    let answer = engine.eval_rule(rule).map_err(|e| failed(&e))?;
    let mut denials = match &answer {
        regorus::Value::Set(all) => all.iter().map(denial).collect::<Result<Vec<_>, _>>()?,
        regorus::Value::Array(all) => all.iter().map(denial).collect::<Result<Vec<_>, _>>()?,
        regorus::Value::Undefined => return Err(EvaluationError::Answer("undefined")),
        _ => return Err(EvaluationError::Answer("something else")),
    };
    denials.sort();
    denials.dedup();
    if denials.len() > MAX_DENIALS {
        return Err(EvaluationError::Denials);
    }
    Ok(denials)
}

fn denial(value: &regorus::Value) -> Result<Denial, EvaluationError> {
    let text = |value: &regorus::Value| match value {
        regorus::Value::String(text) if !text.trim().is_empty() => Some(text.to_string()),
        _ => None,
    };
    let found = match value {
        regorus::Value::Object(members) => {
            let member = |name: &str| {
                let mut named =
                    members.iter().filter(|(key, _)| text(key).as_deref() == Some(name));
                named.next().map(|(_, value)| text(value))
            };
            let message = member("msg").flatten();
            // An id that is no text would be a denial that no waiver can name.
            let id = member("id").unwrap_or_else(|| message.clone());
            id.zip(message)
        }
        _ => text(value).map(|text| (text.clone(), text)),
    };
    let (id, message) = found.ok_or(EvaluationError::Answer("a list with another element"))?;
    Ok(Denial { id, message })
}

/// The interpreter with the module, ready, and the rule to ask for.
fn prepared(text: &str) -> Result<(regorus::Engine, String), ModuleError> {
    if text.len() > MAX_MODULE_BYTES {
        let expected = format!("a module of at most {MAX_MODULE_BYTES} bytes");
        return Err(ModuleError::new(0, &expected, &text.len().to_string()));
    }
    if let Some(line) = text.lines().find(|line| line.chars().count() > MAX_LINE_CHARS) {
        let expected = format!("lines of at most {MAX_LINE_CHARS} characters");
        return Err(ModuleError::new(0, &expected, &line.chars().count().to_string()));
    }
    let mut first = regorus::Engine::new();
    let added = first.add_policy(FILE.to_owned(), text.to_owned());
    added.map_err(|e| placed(text, &e.to_string()))?;
    let written = tree(&first)?;
    let checked = language::check(text, &written)?;
    let rule = format!("{}.deny", checked.package);
    // The text as it was written is analysed first, because its places are those that its author knows.
    let compiled = first.compile_with_entrypoint(&rule.as_str().into());
    if let Err(error) = compiled {
        return Err(placed(text, &error.to_string()));
    }
    let mut engine = regorus::Engine::new();
    let longest = regorus::PolicyLengthConfig {
        max_col: std::num::NonZeroU32::MAX,
        ..regorus::PolicyLengthConfig::default()
    };
    engine.set_policy_length_config(longest);
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(budget::timer());
    let is_ours = functions::register(&mut engine);
    let added = engine.add_policy(FILE.to_owned(), checked.text);
    match added {
        Ok(_) if is_ours && language::says_the_same(&written, &tree(&engine)?) => {
            Ok((engine, rule))
        }
        Ok(_) => Err(ModuleError::new(0, "a module that can be weighed", "another")),
        Err(error) => {
            Err(ModuleError::new(0, "a module that can be weighed", &told(&error.to_string())))
        }
    }
}

/// The syntax tree of the engine's module, as JSON.
fn tree(engine: &regorus::Engine) -> Result<Json, ModuleError> {
    let refused = |found: String| ModuleError::new(0, "a module that nests less", &found);
    let tree = engine.get_ast_as_json().map_err(|e| refused(e.to_string()))?;
    serde_json::from_str(&tree).map_err(|e| refused(e.to_string()))
}

/// What the interpreter calls the module.
const FILE: &str = "module";

/// What the interpreter says, without the lines of the text that it repeats.
fn told(error: &str) -> String {
    let last = error.rsplit("error: ").next().unwrap_or(error);
    let words: Vec<&str> = last.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

/// An error of the interpreter, which begins with the place: `--> module:LINE:COLUMN`.
fn placed(text: &str, error: &str) -> ModuleError {
    let place = error.split_once(&format!("--> {FILE}:")).map_or("", |(_, rest)| rest);
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).map(str::parse::<usize>);
    let (line, column) = match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => (line, column),
        _ => (1, 1),
    };
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
    ModuleError::new(start + within, "a Rego module", &told(error))
}

#[cfg(test)]
mod tests;
