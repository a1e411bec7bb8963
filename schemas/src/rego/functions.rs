//! The functions that a module may call.
//!
//! Each is the interpreter's own, asked for by way of a second interpreter once the cost of the call is known
//! and was taken from the budget: the interpreter itself does not count what its functions do, and some of them make a
//! terabyte out of a line. There is none that asks a clock, the network, the environment or chance. What has no row here
//! is refused when the policy is read.

use std::cell::RefCell;

use regorus::{Engine, Value};

use super::budget::{self, Exceeded};

/// What a call does before anything of it is known.
const CALL_STEPS: u64 = 8;
/// The bytes, or elements, that go into one step.
const BYTES_PER_STEP: u64 = 32;
const VALUES_PER_STEP: u64 = 8;
/// The longest text that is made at once.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// The greatest depth of a value.
const MAX_DEPTH: usize = 64;
/// The most numbers of a range.
const MAX_RANGE: u64 = 10_000;
/// The greatest width or precision of a format.
const MAX_WIDTH: u32 = 1_000;
/// The longest pattern, and the longest text that one is tried on. Both bound the time of a match, which is their product.
const MAX_PATTERN_BYTES: usize = 1_000;
const MAX_MATCHED_BYTES: usize = 16 << 10;
/// The steps that a byte of a matched text takes, and those of compiling a pattern.
const MATCH_STEPS_PER_BYTE: u64 = 4;
const PATTERN_STEPS: u64 = 2_000;

/// The name by which the loader has values weighed that a module puts together.
pub(super) const WEIGHED: &str = "attestry.weighed";

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("{0}")]
    Argument(&'static str),
    #[error("{0}")]
    Failed(String),
}

type Cost = fn(&[Value]) -> Result<u64, CallError>;

/// A function: its name, the number of its arguments, and what a call costs.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: u8,
    /// Whether what it gives is a number.
    pub(super) is_number: bool,
    cost: Cost,
}

macro_rules! functions {
    ($($name:literal $arguments:literal $kind:ident $cost:ident;)+) => {
        /// The functions, by name.
        pub(super) const FUNCTIONS: &[Function] = &[$(Function {
            name: $name,
            arguments: $arguments,
            is_number: kind!($kind),
            cost: $cost,
        }),+];
    };
}

macro_rules! kind {
    (number) => {
        true
    };
    (other) => {
        false
    };
}

functions! {
    "abs" 1 number deep;
    "array.concat" 2 other arrays;
    "array.reverse" 1 other arrays;
    "array.slice" 3 other slice;
    "ceil" 1 number deep;
    "concat" 2 other concat;
    "contains" 2 other deep;
    "count" 1 number collection;
    "endswith" 2 other deep;
    "floor" 1 number deep;
    "format_int" 2 other deep;
    "indexof" 2 number deep;
    "intersection" 1 other deep;
    "is_array" 1 other nothing;
    "is_boolean" 1 other nothing;
    "is_null" 1 other nothing;
    "is_number" 1 other nothing;
    "is_object" 1 other nothing;
    "is_set" 1 other nothing;
    "is_string" 1 other nothing;
    "lower" 1 other deep;
    "max" 1 other deep;
    "min" 1 other deep;
    "numbers.range" 2 other range;
    "object.filter" 2 other deep;
    "object.get" 3 other member;
    "object.keys" 1 other object;
    "object.remove" 2 other deep;
    "object.subset" 2 other deep;
    "object.union" 2 other deep;
    "regex.match" 2 other matching;
    "replace" 3 other replace;
    "round" 1 number deep;
    "sort" 1 other deep;
    "split" 2 other split;
    "sprintf" 2 other format;
    "startswith" 2 other deep;
    "strings.any_prefix_match" 2 other pairs;
    "strings.any_suffix_match" 2 other pairs;
    "substring" 3 other deep;
    "sum" 1 number deep;
    "to_number" 1 number number;
    "trim" 2 other trim;
    "trim_left" 2 other trim;
    "trim_prefix" 2 other deep;
    "trim_right" 2 other trim;
    "trim_space" 1 other deep;
    "trim_suffix" 2 other deep;
    "type_name" 1 other nothing;
    "union" 1 other deep;
    "upper" 1 other deep;
}

/// The function of this name.
pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Puts the functions in the place of the interpreter's own.
pub(super) fn register(engine: &mut Engine) -> bool {
    let weighed = |arguments: Vec<Value>| {
        let steps = deep(&arguments)?;
        budget::spend(steps)?;
        Ok(arguments.into_iter().next().unwrap_or(Value::Undefined))
    };
    let is_new = engine.add_extension(WEIGHED.to_owned(), 1, Box::new(weighed)).is_ok();
    FUNCTIONS.iter().fold(is_new, |all_new, function| {
        let call = move |arguments: Vec<Value>| Ok(function.call(arguments)?);
        let name = function.name.to_owned();
        engine.add_extension(name, function.arguments, Box::new(call)).is_ok() && all_new
    })
}

thread_local! {
    /// The interpreter whose functions are asked for.
    static LIBRARY: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

impl Function {
    fn call(&self, arguments: Vec<Value>) -> Result<Value, CallError> {
        budget::spend(CALL_STEPS + (self.cost)(&arguments)?)?;
        LIBRARY.with_borrow_mut(|kept| {
            let engine = match kept {
                Some(engine) => engine,
                None => kept.insert(library()?),
            };
            engine.set_input(Value::from(arguments));
            let rule = format!("data.library.{}", rule_name(self.name));
            engine.eval_rule(rule).map_err(|e| CallError::Failed(super::told(&e.to_string())))
        })
    }
}

fn library() -> Result<Engine, CallError> {
    let mut text = "package library\n".to_owned();
    for function in FUNCTIONS {
        let arguments = (0..function.arguments).map(|at| format!("input[{at}]"));
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        let line = format!("{} := {}({arguments})\n", rule_name(function.name), function.name);
        text.push_str(&line);
    }
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    let added = engine.add_policy("library".to_owned(), text);
    added.map_err(|e| CallError::Failed(super::told(&e.to_string())))?;
    Ok(engine)
}

fn rule_name(function: &str) -> String {
    format!("of_{}", function.replace('.', "_"))
}

/// Nothing of the argument is looked at.
fn nothing(_: &[Value]) -> Result<u64, CallError> {
    Ok(0)
}

/// All of the arguments is looked at.
fn deep(arguments: &[Value]) -> Result<u64, CallError> {
    let mut room = budget::left().saturating_mul(VALUES_PER_STEP).saturating_add(1);
    let all = room;
    for argument in arguments {
        weigh(argument, 0, &mut room)?;
    }
    Ok((all - room) / VALUES_PER_STEP + 1)
}

/// Takes from `room` one for each value, and one for some bytes of each text. A value that is shared counts wherever it
/// stands, because it is written, compared and copied wherever it stands.
fn weigh(value: &Value, depth: usize, room: &mut u64) -> Result<(), CallError> {
    let own = match value {
        Value::String(text) => 1 + text.len() as u64 / (BYTES_PER_STEP / VALUES_PER_STEP),
        _ => 1,
    };
    *room = room.checked_sub(own).ok_or_else(|| budget::exceed(Exceeded::Steps))?;
    if depth > MAX_DEPTH {
        return Err(budget::exceed(Exceeded::Depth).into());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| weigh(item, depth + 1, room)),
        Value::Set(items) => items.iter().try_for_each(|item| weigh(item, depth + 1, room)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            weigh(name, depth + 1, room)?;
            weigh(member, depth + 1, room)
        }),
        _ => Ok(()),
    }
}

/// The elements are counted. What is no collection is refused here: the interpreter's message would repeat all of it.
fn collection(arguments: &[Value]) -> Result<u64, CallError> {
    let all = arguments.iter().map(|argument| match argument {
        Value::Array(items) => Ok(items.iter().len() as u64),
        Value::Set(items) => Ok(items.len() as u64),
        Value::Object(members) => Ok(members.len() as u64),
        Value::String(text) => Ok(text.len() as u64),
        _ => Err(CallError::Argument("expected an array, a set, an object or a text")),
    });
    Ok(all.sum::<Result<u64, _>>()? / VALUES_PER_STEP)
}

fn arrays(arguments: &[Value]) -> Result<u64, CallError> {
    match arguments.iter().all(|argument| matches!(argument, Value::Array(_))) {
        true => collection(arguments),
        false => Err(CallError::Argument("expected arrays")),
    }
}

fn slice(arguments: &[Value]) -> Result<u64, CallError> {
    match arguments {
        [array, bounds @ ..] => Ok(arrays(std::slice::from_ref(array))? + deep(bounds)?),
        [] => Ok(0),
    }
}

fn object(arguments: &[Value]) -> Result<u64, CallError> {
    match arguments {
        [Value::Object(_)] => collection(arguments),
        _ => Err(CallError::Argument("expected an object")),
    }
}

/// One member of an object; the rest of it is not looked at.
fn member(arguments: &[Value]) -> Result<u64, CallError> {
    match arguments {
        [Value::Object(_), path, _] => deep(std::slice::from_ref(path)),
        _ => Err(CallError::Argument("expected an object")),
    }
}

fn text_bytes(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => Some(text.len() as u64),
        _ => None,
    }
}

/// The steps of making a text of so many bytes.
fn making(bytes: u64) -> Result<u64, CallError> {
    if bytes > MAX_TEXT_BYTES {
        return Err(budget::exceed(Exceeded::Steps).into());
    }
    Ok(bytes / BYTES_PER_STEP)
}

fn concat(arguments: &[Value]) -> Result<u64, CallError> {
    let cost = deep(arguments)?;
    let [between, texts] = arguments else { return Ok(cost) };
    let bytes: Vec<u64> = match texts {
        Value::Array(items) => items.iter().filter_map(text_bytes).collect(),
        Value::Set(items) => items.iter().filter_map(text_bytes).collect(),
        _ => Vec::new(),
    };
    let between = text_bytes(between).unwrap_or(0).saturating_mul(bytes.len() as u64);
    Ok(cost + making(bytes.iter().fold(between, |all, one| all.saturating_add(*one)))?)
}

fn replace(arguments: &[Value]) -> Result<u64, CallError> {
    let cost = deep(arguments)?;
    let lengths: Vec<u64> = arguments.iter().filter_map(text_bytes).collect();
    let [text, old, new] = lengths.as_slice() else { return Ok(cost) };
    // Nothing is found between any two characters, and at both ends.
    let times = text.checked_div(*old).unwrap_or(text + 1);
    Ok(cost + making(times.saturating_mul(*new).saturating_add(*text))?)
}

/// Each character may become a text of its own.
fn split(arguments: &[Value]) -> Result<u64, CallError> {
    let characters = arguments.first().and_then(text_bytes).unwrap_or(0);
    Ok(deep(arguments)? + characters / 2)
}

/// Each character may be compared with each of those to be taken off.
fn trim(arguments: &[Value]) -> Result<u64, CallError> {
    let lengths = arguments.iter().filter_map(text_bytes);
    let product = lengths.fold(1, u64::saturating_mul);
    Ok(deep(arguments)? + product / BYTES_PER_STEP)
}

/// Each element of one may be compared with each of the other.
fn pairs(arguments: &[Value]) -> Result<u64, CallError> {
    let mut counts = arguments.iter().map(|argument| deep(std::slice::from_ref(argument)));
    counts.try_fold(1, |all: u64, one| Ok(all.saturating_mul(one?.saturating_mul(VALUES_PER_STEP))))
}

/// A number in a text: long ones, and great exponents, are numbers of any size.
fn number(arguments: &[Value]) -> Result<u64, CallError> {
    match arguments {
        [Value::String(text)] if text.len() > 30 || text.contains(['e', 'E']) => Err(
            CallError::Argument("expected a number of at most 30 characters without an exponent"),
        ),
        _ => deep(arguments),
    }
}

fn range(arguments: &[Value]) -> Result<u64, CallError> {
    let ends: Vec<i64> = arguments.iter().filter_map(|end| end.as_i64().ok()).collect();
    let [from, until] = ends.as_slice() else {
        return Err(CallError::Argument("expected two whole numbers"));
    };
    let size = from.abs_diff(*until);
    if size > MAX_RANGE {
        return Err(budget::exceed(Exceeded::Steps).into());
    }
    Ok(size)
}

/// Widths are bounded, and what they add is counted.
fn format(arguments: &[Value]) -> Result<u64, CallError> {
    let [Value::String(format), _] = arguments else {
        return Err(CallError::Argument("expected a format and an array of its arguments"));
    };
    let (mut bytes, mut characters) = (0_u64, format.chars().peekable());
    while let Some(character) = characters.next() {
        if character != '%' {
            continue;
        }
        let mut width = 0_u32;
        while let Some(next) = characters.next_if(|next| *next == '.' || next.is_numeric()) {
            let digit = if next == '.' { Some(0) } else { next.to_digit(10) };
            let digit = digit.ok_or(CallError::Argument("expected a width in decimal digits"))?;
            width = width.saturating_mul(10).saturating_add(digit);
        }
        if width > MAX_WIDTH {
            return Err(CallError::Argument("expected a width of at most 1000 in a format"));
        }
        bytes = bytes.saturating_add(u64::from(width));
        // A sign that is meant, or the verb.
        characters.next();
    }
    // Quotes and what is escaped take a few bytes for each.
    let written = deep(arguments)?;
    let bytes = bytes.saturating_add(written.saturating_mul(BYTES_PER_STEP));
    Ok(written + making(bytes)?)
}

fn matching(arguments: &[Value]) -> Result<u64, CallError> {
    let [Value::String(pattern), Value::String(text)] = arguments else {
        return Err(CallError::Argument("expected a pattern and a text"));
    };
    if pattern.len() > MAX_PATTERN_BYTES || text.len() > MAX_MATCHED_BYTES {
        return Err(CallError::Argument(
            "expected a pattern of at most 1000 bytes and a text of at most 16384",
        ));
    }
    Ok(PATTERN_STEPS + text.len() as u64 * MATCH_STEPS_PER_BYTE)
}
