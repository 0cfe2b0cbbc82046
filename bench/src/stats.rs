//! Turns repetitions of one figure into a median, a spread and a verdict. Pure: numbers in, numbers out.

/// Ratios of wall time below this say nothing on a machine that is shared.
pub(crate) const DRAW_WALL: f64 = 2.0;
/// CPU time and memory are steadier.
pub(crate) const DRAW_COST: f64 = 1.5;

/// What a figure counts, which decides its direction and how large a ratio must be to mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Work done in a second of wall time: more is better.
    Rate,
    /// CPU time or memory for a piece of work: less is better.
    Cost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    First,
    Draw,
    Second,
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// (largest − smallest) / median; `None` when a single value, or a median of nothing, has no spread.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    if values.len() < 2 || middle == 0.0 {
        return None;
    }
    let largest = values.iter().copied().fold(f64::MIN, f64::max);
    let smallest = values.iter().copied().fold(f64::MAX, f64::min);
    Some((largest - smallest) / middle)
}

/// Who is ahead at `ratio` = first / second.
pub(crate) fn verdict(kind: Kind, ratio: f64) -> Verdict {
    let (advantage, draw) = match kind {
        Kind::Rate => (ratio, DRAW_WALL),
        Kind::Cost => (1.0 / ratio, DRAW_COST),
    };
    if advantage >= draw {
        Verdict::First
    } else if advantage <= 1.0 / draw {
        Verdict::Second
    } else {
        Verdict::Draw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn spread_is_relative_to_the_median() {
        assert_eq!(spread(&[8.0, 10.0, 12.0]), Some(0.4));
        assert_eq!(spread(&[8.0]), None);
    }

    #[test]
    fn a_small_ratio_is_a_draw_and_costs_count_the_other_way() {
        assert_eq!(verdict(Kind::Rate, 1.9), Verdict::Draw);
        assert_eq!(verdict(Kind::Rate, 2.1), Verdict::First);
        assert_eq!(verdict(Kind::Rate, 0.4), Verdict::Second);
        assert_eq!(verdict(Kind::Cost, 0.7), Verdict::Draw);
        assert_eq!(verdict(Kind::Cost, 0.6), Verdict::First);
        assert_eq!(verdict(Kind::Cost, 1.6), Verdict::Second);
    }
}
