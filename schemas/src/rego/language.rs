//! What a module may say, checked on its syntax tree, and where values are weighed.
//!
//! The interpreter counts its steps and not what its values take: an array that holds another twice is small in memory,
//! and of any size to whoever compares or writes it. So each value that a module puts together is weighed when it comes
//! into being: the text that is evaluated is that of the module with [`WEIGHED`] around those places. Operators that make
//! large values without a function are refused, as is everything that only tests have a use for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::functions::{WEIGHED, function};
use super::{MAX_RULES, ModuleError};

/// The longest number that stands in a module, in characters.
const MAX_NUMBER_CHARS: usize = 20;

/// A module whose syntax tree was checked.
pub(super) struct Checked {
    /// Where its rules stand, such as `data.pay`.
    pub(super) package: String,
    /// The text that is evaluated.
    pub(super) text: String,
}

/// Whether an expression gives a value of its own, stands in one that is weighed, or takes a value apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Value,
    Within,
    Pattern,
}

/// Checks the syntax tree of a text, as the interpreter writes it.
pub(super) fn check(text: &str, tree: &Value) -> Result<Checked, ModuleError> {
    let module = tree.get(0).and_then(|module| module.get("ast")).unwrap_or(&Value::Null);
    let package = module.get("package").and_then(|package| package.get("refr"));
    let Some(package) = package.and_then(path) else {
        return Err(ModuleError::new(0, "a package name of plain words", "another"));
    };
    let mut reading = Reading { text, functions: BTreeSet::new(), package, weighed: Vec::new() };
    let rules = list(module, "rules");
    if rules.len() > MAX_RULES {
        let found = rules.len().to_string();
        return Err(ModuleError::new(0, &format!("at most {MAX_RULES} rules"), &found));
    }
    list(module, "imports").iter().try_for_each(|import| reading.import(import))?;
    let mut has_deny = false;
    for rule in rules {
        let (kind, _, refr) = head(rule);
        let name = refr.and_then(path);
        if kind == Some("Func") {
            reading.functions.extend(name);
        } else {
            has_deny |= name.as_deref() == Some("deny");
        }
    }
    if !has_deny {
        let found = "none; begin it with: deny contains message if { … }";
        return Err(ModuleError::new(0, "a rule with the name deny", found));
    }
    rules.iter().try_for_each(|rule| reading.rule(rule))?;
    let text = rewritten(text, reading.weighed);
    Ok(Checked { package: format!("data.{}", reading.package), text })
}

struct Reading<'t> {
    text: &'t str,
    /// The functions of the module, as they are called in it.
    functions: BTreeSet<String>,
    package: String,
    /// What is weighed: from which byte to which.
    weighed: Vec<(usize, usize)>,
}

/// The kind of a rule's head, the head, and what it defines.
fn head(rule: &Value) -> (Option<&str>, Option<&Value>, Option<&Value>) {
    let head = rule.get("Spec").and_then(|spec| spec.get("head")).and_then(Value::as_object);
    match head.and_then(only) {
        Some((kind, head)) => (Some(kind), Some(head), head.get("refr")),
        None => (None, None, rule.get("Default").and_then(|default| default.get("refr"))),
    }
}

impl Reading<'_> {
    /// There is nothing to import: one module, and all that it is given is `input`.
    fn import(&self, import: &Value) -> Result<(), ModuleError> {
        let name = import.get("refr").and_then(path).unwrap_or_default();
        let is_known = name == "rego.v1" || name.starts_with("future.keywords");
        if is_known || name == "input" || name.starts_with("input.") {
            return Ok(());
        }
        Err(refused(import, "no import but of rego.v1, future.keywords and input", &name))
    }

    fn rule(&mut self, rule: &Value) -> Result<(), ModuleError> {
        let (kind, head, refr) = head(rule);
        let is_partial = refr.is_some_and(|refr| refr.get("Var").is_none());
        let bodies = rule.get("Spec").map_or(&[][..], |spec| list(spec, "bodies"));
        let heads = head.filter(|_| !bodies.is_empty()).into_iter();
        let named = heads.flat_map(|head| [member(head, "key"), assigned(head)]);
        for value in named.chain(bodies.iter().map(assigned)).flatten() {
            if let Some(inner) = comprehension(value) {
                let why = "a comprehension in the body, with a name that the head can use";
                return Err(refused(inner, why, "one in the head"));
            }
        }
        if let (Some(kind), Some(head)) = (kind, head) {
            if let Some(refr) = refr {
                self.expression(refr, Place::Pattern)?;
            }
            list(head, "args").iter().try_for_each(|arg| self.expression(arg, Place::Pattern))?;
            match (kind, member(head, "key"), assigned(head)) {
                // What a set, or an object, is made of.
                (_, Some(key), _) => self.element(key)?,
                ("Compr", _, Some(value)) if is_partial => self.element(value)?,
                (_, _, Some(value)) => self.expression(value, Place::Value)?,
                _ => {}
            }
        }
        for body in bodies {
            match assigned(body) {
                Some(value) if is_partial && kind != Some("Func") => self.element(value)?,
                Some(value) => self.expression(value, Place::Value)?,
                None => {}
            }
            self.query(body.get("query"))?;
        }
        match rule.get("Default").and_then(|default| default.get("value")) {
            Some(value) => self.expression(value, Place::Value),
            None => Ok(()),
        }
    }

    fn query(&mut self, query: Option<&Value>) -> Result<(), ModuleError> {
        for statement in query.map_or(&[][..], |query| list(query, "stmts")) {
            if let Some(with) = list(statement, "with_mods").first() {
                let why = "no `with`, which gives the module other inputs than there are";
                return Err(refused(with, why, "with"));
            }
            let literal = statement.get("literal").and_then(Value::as_object).and_then(only);
            let Some((kind, literal)) = literal else { continue };
            let patterns = ["key", "value"].into_iter().filter(|_| kind == "SomeIn");
            for pattern in patterns.filter_map(|name| member(literal, name)) {
                self.expression(pattern, Place::Pattern)?;
            }
            let values = ["collection", "expr", "domain"].into_iter();
            for value in values.filter_map(|name| member(literal, name)) {
                self.expression(value, Place::Value)?;
            }
            self.query(literal.get("query"))?;
        }
        Ok(())
    }

    /// An expression that becomes part of a larger value.
    fn element(&mut self, expression: &Value) -> Result<(), ModuleError> {
        self.weigh(expression);
        self.expression(expression, Place::Within)
    }

    fn expression(&mut self, expression: &Value, place: Place) -> Result<(), ModuleError> {
        let Some((kind, inner)) = expression.as_object().and_then(only) else { return Ok(()) };
        match kind {
            "Array" | "Set" | "Object" | "ArrayCompr" | "SetCompr" | "ObjectCompr" => {
                return self.composite(expression, inner, place);
            }
            "Number" if length(expression) > MAX_NUMBER_CHARS => {
                let why = format!("a number of at most {MAX_NUMBER_CHARS} characters");
                return Err(refused(inner, &why, "a longer one"));
            }
            "BinExpr" => {
                let why = "the functions union and intersection instead of the operators | and &";
                return Err(refused(inner, why, "an operator"));
            }
            "AssignExpr" => {
                if inner.get("op").and_then(Value::as_str) != Some("ColEq") {
                    return Err(refused(inner, ":= to name a value, or == to compare", "="));
                }
                let (lhs, rhs) = (inner.get("lhs"), inner.get("rhs"));
                lhs.map_or(Ok(()), |lhs| self.expression(lhs, Place::Pattern))?;
                return rhs.map_or(Ok(()), |rhs| self.expression(rhs, Place::Value));
            }
            "ArithExpr" => arithmetic(inner)?,
            "Call" => self.call(inner)?,
            _ => {}
        }
        let parts = ["expr", "refr", "index", "lhs", "rhs", "key", "value", "collection"];
        for part in parts.into_iter().filter_map(|name| member(inner, name)) {
            self.expression(part, Place::Value)?;
        }
        Ok(())
    }

    /// An array, a set or an object, as a list of its parts or as a comprehension.
    fn composite(
        &mut self,
        expression: &Value,
        inner: &Value,
        place: Place,
    ) -> Result<(), ModuleError> {
        if place == Place::Value {
            self.weigh(expression);
        }
        let within = if place == Place::Pattern { place } else { Place::Within };
        let fields = list(inner, "fields").iter().filter_map(Value::as_array).flatten();
        let terms = ["term", "key", "value"].into_iter().filter_map(|name| member(inner, name));
        for part in list(inner, "items").iter().chain(fields).chain(terms) {
            self.expression(part, within)?;
        }
        self.query(inner.get("query"))
    }

    fn weigh(&mut self, expression: &Value) {
        if !is_constant(expression)
            && let Some((_, to)) = span(expression)
        {
            self.weighed.extend(start(self.text, expression).map(|from| (from, to)));
        }
    }

    fn call(&mut self, call: &Value) -> Result<(), ModuleError> {
        let arguments = list(call, "params");
        let Some(name) = call.get("fcn").and_then(path) else {
            return Err(refused(call, "a function by its name", "another expression"));
        };
        let own = name.strip_prefix(&format!("data.{}.", self.package)).unwrap_or(&name);
        if !self.functions.contains(own) {
            let Some(function) = function(&name) else {
                let why = "a function of the module, or one of those that the gate has for Rego";
                return Err(refused(call, why, &format!("{name:?}")));
            };
            if arguments.len() != usize::from(function.arguments) {
                let why = format!("{} arguments of {name}", function.arguments);
                return Err(refused(call, &why, &arguments.len().to_string()));
            }
        }
        arguments.iter().try_for_each(|argument| self.expression(argument, Place::Value))
    }
}

/// `-` also takes from sets, and products of products have any length: one side must be seen to be a number.
fn arithmetic(inner: &Value) -> Result<(), ModuleError> {
    let sides = [inner.get("lhs"), inner.get("rhs")];
    let (ok, why) = match inner.get("op").and_then(Value::as_str) {
        Some("Sub") => (sides.into_iter().flatten().any(is_number), "a number on one side of -"),
        Some("Mul") => {
            let is_literal = |side: &Value| side.get("Number").is_some();
            let why = "a number that is written out on one side of *";
            (sides.into_iter().flatten().any(is_literal), why)
        }
        _ => (true, ""),
    };
    let why = format!("{why}, written out or given by a function such as count");
    if ok { Ok(()) } else { Err(refused(inner, &why, "another expression")) }
}

fn is_number(expression: &Value) -> bool {
    let called = expression.get("Call").and_then(|call| call.get("fcn")).and_then(path);
    let gives_number = called.and_then(|name| function(&name)).is_some_and(|f| f.is_number);
    gives_number || expression.get("Number").is_some() || expression.get("ArithExpr").is_some()
}

/// The first comprehension of an expression. The interpreter cannot evaluate one in a head that has a body.
fn comprehension(expression: &Value) -> Option<&Value> {
    match expression {
        Value::Object(members) => members.iter().find_map(|(kind, inner)| {
            let is_one = matches!(kind.as_str(), "ArrayCompr" | "SetCompr" | "ObjectCompr");
            if is_one { Some(inner) } else { comprehension(inner) }
        }),
        Value::Array(items) => items.iter().find_map(comprehension),
        _ => None,
    }
}

/// Whether nothing of it is computed.
fn is_constant(expression: &Value) -> bool {
    let Some((kind, inner)) = expression.as_object().and_then(only) else { return true };
    match kind {
        "String" | "RawString" | "Number" | "Bool" | "Null" => true,
        "Array" | "Set" => list(inner, "items").iter().all(is_constant),
        // The first part of a field is its place.
        "Object" => {
            let fields = list(inner, "fields").iter().filter_map(Value::as_array);
            fields.flatten().all(is_constant)
        }
        _ => false,
    }
}

/// The text with what is weighed in a call.
fn rewritten(text: &str, mut weighed: Vec<(usize, usize)>) -> String {
    weighed.sort_unstable();
    weighed.dedup();
    let opening = weighed.iter().map(|(from, _)| (*from, 1, format!("{WEIGHED}(")));
    let closing = weighed.iter().map(|(_, to)| (*to, 0, ")".to_owned()));
    let mut inserts: Vec<(usize, u8, String)> = opening.chain(closing).collect();
    inserts.sort();
    let (mut all, mut done) = (String::new(), 0);
    for (at, _, insert) in inserts {
        all.push_str(text.get(done..at).unwrap_or_default());
        all.push_str(&insert);
        done = at;
    }
    all + text.get(done..).unwrap_or_default()
}

/// A name such as `input.evidence`; none when something in it is computed.
fn path(expression: &Value) -> Option<String> {
    let (kind, inner) = only(expression.as_object()?)?;
    match kind {
        "Var" => inner.get("value").and_then(Value::as_str).map(str::to_owned),
        "RefDot" => {
            let field = inner.get("field").and_then(|field| field.get(1))?.as_str()?;
            Some(format!("{}.{field}", path(inner.get("refr")?)?))
        }
        _ => None,
    }
}

fn only(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = map.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name.as_str(), value))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|member| member.is_object())
}

fn assigned(value: &Value) -> Option<&Value> {
    member(value, "assign")?.get("value")
}

/// Where an expression, or what is in it, stands.
fn span(expression: &Value) -> Option<(usize, usize)> {
    let inner = expression.as_object().and_then(only).map_or(expression, |(_, inner)| inner);
    let span = inner.get("span")?;
    let at = |name: &str| usize::try_from(span.get(name)?.as_u64()?).ok();
    Some((at("start")?, at("end")?))
}

/// How many bytes an expression takes.
fn length(expression: &Value) -> usize {
    span(expression).map_or(usize::MAX, |(from, to)| to.saturating_sub(from))
}

/// Where an expression begins. The tree has the place of an object wrong, and that of a text without its quote.
fn start(text: &str, expression: &Value) -> Option<usize> {
    let (kind, inner) = only(expression.as_object()?)?;
    let (from, _) = span(expression)?;
    match kind {
        "Object" => {
            let first_key = list(inner, "fields").first()?.get(1)?;
            text.get(..start(text, first_key)?)?.rfind('{')
        }
        "String" | "RawString" => from.checked_sub(1),
        _ => Some(from),
    }
}

/// Whether one tree is the other but for what is weighed, and for the places.
pub(super) fn says_the_same(written: &Value, weighed: &Value) -> bool {
    let ast = |tree: &Value| tree.get(0).and_then(|module| module.get("ast")).map(meaning);
    ast(written).is_some_and(|written| ast(weighed) == Some(written))
}

fn meaning(tree: &Value) -> Value {
    let call =
        tree.get("Call").filter(|call| call.get("fcn").and_then(path).as_deref() == Some(WEIGHED));
    if let Some([argument]) = call.map(|call| list(call, "params")) {
        return meaning(argument);
    }
    match tree {
        Value::Object(members) if members.contains_key("line") && members.contains_key("end") => {
            Value::Null
        }
        Value::Object(members) => {
            let is_said = |name: &str| {
                !matches!(name, "span" | "eidx" | "sidx" | "qidx") && !name.starts_with("num_")
            };
            let said = members.iter().filter(|(name, _)| is_said(name));
            said.map(|(name, member)| (name.clone(), meaning(member))).collect()
        }
        Value::Array(items) => items.iter().map(meaning).collect(),
        _ => tree.clone(),
    }
}

fn refused(part: &Value, expected: &str, found: &str) -> ModuleError {
    let at = part.get("span").and_then(|span| span.get("start")).and_then(Value::as_u64);
    let at = at.and_then(|at| usize::try_from(at).ok());
    ModuleError::new(at.unwrap_or(0), expected, found)
}
