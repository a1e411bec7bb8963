//! Randomness that a printed seed repeats.

/// SplitMix64 (Steele, Lea, Flood 2014): enough to choose moments and bytes.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of the variable `ATTESTRY_TEST_SEED`, else one that differs from run to run;
    /// printed, so that a failure can be repeated.
    #[must_use]
    #[allow(clippy::print_stderr, reason = "the seed is shown where a test fails")]
    pub fn announced() -> Self {
        let given = std::env::var("ATTESTRY_TEST_SEED").ok().map(|text| text.parse().unwrap());
        let seed = given.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            aws_lc_rs::rand::fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        });
        eprintln!("ATTESTRY_TEST_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0, less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.draw().to_le_bytes()).flatten().take(count).collect()
    }
}
