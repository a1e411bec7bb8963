//! How much a principal may ask: a token bucket for each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Principal;
use super::document::Rate;

/// The most buckets. Addresses of strangers must not fill the memory.
const MAX_BUCKETS: usize = 50_000;

/// The buckets of all principals; callers without a credential have one for each address.
#[derive(Default)]
pub(super) struct Buckets {
    held: Mutex<HashMap<(Principal, Option<IpAddr>), Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Takes one token, or tells in how many seconds there is one.
    pub(super) fn charge(
        &self,
        principal: &Principal,
        from: Option<IpAddr>,
        limit: &Rate,
    ) -> Result<(), u64> {
        self.charge_at(principal, from, limit, Instant::now())
    }

    fn charge_at(
        &self,
        principal: &Principal,
        from: Option<IpAddr>,
        limit: &Rate,
        now: Instant,
    ) -> Result<(), u64> {
        let from = from.filter(|_| *principal == Principal::Anyone);
        // Numbers of requests, far below what a double holds exactly.
        let (rate, burst) = (limit.per_second as f64, limit.burst as f64);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MAX_BUCKETS {
            // A bucket that is full again says nothing.
            held.retain(|_, one| {
                one.tokens + now.duration_since(one.at).as_secs_f64() * rate < burst
            });
            if held.len() >= MAX_BUCKETS {
                return Err(1);
            }
        }
        let bucket =
            held.entry((principal.clone(), from)).or_insert(Bucket { tokens: burst, at: now });
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * rate).min(burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(((1.0 - bucket.tokens) / rate).ceil().max(1.0) as u64);
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_answered_and_then_as_many_as_the_rate_lets() {
        let (buckets, begin) = (Buckets::default(), Instant::now());
        let limit = Rate { per_second: 2, burst: 3 };
        let ci = Principal::Token("ci".to_owned());
        let at = |ms| buckets.charge_at(&ci, None, &limit, begin + Duration::from_millis(ms));
        assert_eq!([at(0), at(0), at(0), at(0)], [Ok(()), Ok(()), Ok(()), Err(1)]);
        assert_eq!([at(500), at(500), at(1000)], [Ok(()), Err(1), Ok(())]);
        let other = Principal::Token("other".to_owned());
        assert_eq!(buckets.charge_at(&other, None, &limit, begin), Ok(()), "each has its own");
    }

    #[test]
    fn callers_without_a_credential_count_by_their_address_and_others_do_not() {
        let (buckets, begin) = (Buckets::default(), Instant::now());
        let limit = Rate { per_second: 1, burst: 1 };
        let from = |last| Some(IpAddr::from([192, 0, 2, last]));
        let ask = |who: &Principal, last| buckets.charge_at(who, from(last), &limit, begin);
        assert_eq!([ask(&Principal::Anyone, 1), ask(&Principal::Anyone, 2)], [Ok(()), Ok(())]);
        assert_eq!(ask(&Principal::Anyone, 1), Err(1));
        let ci = Principal::Token("ci".to_owned());
        assert_eq!([ask(&ci, 1), ask(&ci, 2)], [Ok(()), Err(1)], "one principal, two addresses");
    }
}
