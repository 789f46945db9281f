//! How often a fault is injected: a few times in every run, many times before a release.

/// Rounds tried for each that is to count, at most.
const TRIES: usize = 4;

/// What `JIASHU_ROUNDS` says.
fn asked() -> String {
    std::env::var("JIASHU_ROUNDS").unwrap_or_default()
}

/// Whether it is said how often, as for a long run.
pub(crate) fn is_asked_for() -> bool {
    !asked().is_empty()
}

/// At most so many, or the fewer that are asked for.
pub(crate) fn at_most(most: usize) -> usize {
    asked().parse().map_or(most, |asked: usize| asked.min(most))
}

/// How many rounds count so far, of how many that were tried. One in which nothing was harmed proves
/// nothing and is repeated.
#[derive(Debug)]
pub(crate) struct Rounds {
    wanted: usize,
    counted: usize,
    tried: usize,
}

impl Rounds {
    /// `long` of them if `JIASHU_ROUNDS` is `long`, as many as it says if it is a number.
    pub(crate) fn of(every_run: usize, long: usize) -> Self {
        let wanted = match asked().as_str() {
            "" => every_run,
            "long" => long,
            number => number.parse().expect("JIASHU_ROUNDS is a number, or long"),
        };
        Self { wanted, counted: 0, tried: 0 }
    }

    /// Whether another round is to come.
    pub(crate) fn more(&mut self) -> bool {
        if self.counted == self.wanted {
            return false;
        }
        self.tried += 1;
        let most = self.wanted * TRIES;
        assert!(self.tried <= most, "{} of {most} rounds harmed something", self.counted);
        true
    }

    /// Counts the round, if something was harmed in it.
    pub(crate) fn count(&mut self, harmed: bool) {
        self.counted += usize::from(harmed);
    }

    /// How many count so far.
    pub(crate) fn counted(&self) -> usize {
        self.counted
    }

    /// For the report.
    pub(crate) fn told(&self) -> String {
        format!("{} rounds of {} tried", self.counted, self.tried)
    }
}
