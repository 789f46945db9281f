//! What a schedule promises, seen from outside: the clocks, the refusals, the forms of text, the
//! laws that hold for every rule, and python-dateutil as a second opinion.

#[cfg(test)]
mod clock_changes;
#[cfg(test)]
mod every;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rules;
