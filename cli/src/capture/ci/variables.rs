//! Reading variables of CI systems: bounded, and never one that looks like a credential.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::capture::credential::{looks_like_credential, without_credentials};
use crate::capture::uri::web_address;
use crate::capture::{Lookup, Refused, Why};

/// The longest value that is taken. Names of branches and paths of jobs are the longest there are.
const MAX_VALUE_BYTES: usize = 1024;

/// The variables of the environment, and which of them were not taken.
pub(super) struct Variables<'a> {
    lookup: Lookup<'a>,
    refused: RefCell<BTreeMap<String, Why>>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(lookup: Lookup<'a>) -> Self {
        Self { lookup, refused: RefCell::new(BTreeMap::new()) }
    }

    /// A value as it is, without white space around it; nothing when it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.raw(name)?;
        match looks_like_credential(name, &value) {
            Some(sign) => self.refuse(name, Why::Credential(sign)),
            None => Some(value),
        }
    }

    /// A web address, without credentials, query and fragment.
    pub(super) fn url(&self, name: &str) -> Option<String> {
        let url = web_address(&self.raw(name)?)?;
        match looks_like_credential(name, &url) {
            Some(sign) => self.refuse(name, Why::Credential(sign)),
            None => Some(url),
        }
    }

    /// Where a repository is: a web address, or what git takes in its place. Without credentials.
    pub(super) fn repository(&self, name: &str) -> Option<String> {
        let url = without_credentials(&self.raw(name)?);
        match looks_like_credential(name, &url) {
            Some(sign) => self.refuse(name, Why::Credential(sign)),
            None => Some(url),
        }
    }

    /// A commit in lower-case hex: SHA-1 or SHA-256.
    pub(super) fn commit(&self, name: &str) -> Option<String> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.raw(name).filter(|text| matches!(text.len(), 40 | 64) && text.bytes().all(hex))
    }

    /// The name of a branch in full.
    pub(super) fn branch(&self, name: &str) -> Option<String> {
        self.text(name).map(|branch| format!("refs/heads/{branch}"))
    }

    /// The name of a tag in full.
    pub(super) fn tag(&self, name: &str) -> Option<String> {
        self.text(name).map(|tag| format!("refs/tags/{tag}"))
    }

    /// A branch, tag or change that is named in full already.
    pub(super) fn reference(&self, name: &str) -> Option<String> {
        self.text(name).filter(|reference| reference.starts_with("refs/"))
    }

    /// Whether a variable has this value, in capitals or not.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.raw(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// Whether a variable has any value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The variables that were not taken, sorted.
    pub(super) fn into_refused(self) -> Vec<Refused> {
        let refused = self.refused.into_inner();
        refused.into_iter().map(|(name, why)| Refused { name, why }).collect()
    }

    fn raw(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim();
        if value.len() > MAX_VALUE_BYTES {
            return self.refuse(name, Why::TooLong(MAX_VALUE_BYTES));
        }
        (!value.is_empty() && !value.contains(char::is_control)).then(|| value.to_owned())
    }

    fn refuse<T>(&self, name: &str, why: Why) -> Option<T> {
        self.refused.borrow_mut().insert(name.to_owned(), why);
        None
    }
}
