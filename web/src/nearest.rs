//! What the nearest training images say of a picture: the answer of a nearest-neighbour classifier.

/// Images that are asked.
pub const ASKED: u32 = 8;

/// The label that most of `labels` have, and how many; of equally many that whose first one is nearer, which is earlier.
pub fn vote(labels: &[u8]) -> Option<(u8, usize)> {
    let votes = |label: u8| labels.iter().filter(|&&other| other == label).count();
    // Of equal ones `max_by_key` takes the last.
    labels.iter().rev().map(|&label| (label, votes(label))).max_by_key(|(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_win_and_then_the_nearest() {
        assert_eq!(vote(&[]), None);
        assert_eq!(vote(&[7]), Some((7, 1)));
        assert_eq!(vote(&[1, 3, 3, 8, 3]), Some((3, 3)));
        assert_eq!(vote(&[4, 9, 9, 4]), Some((4, 2)));
        assert_eq!(vote(&[2, 9, 4, 9, 4]), Some((9, 2)));
    }
}
