//! The images that a network is most wrong about.

/// Most that are shown.
pub const MOST: usize = 12;

/// An image that the network takes for something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// What it is.
    pub label: u8,
    /// What the network says.
    pub answer: usize,
    /// The score of that.
    pub sure: f32,
    /// Its bytes, row by row.
    pub picture: Vec<u8>,
}

/// The mistakes among `pictures` with these `labels` and `scores`, those first whose label has the smallest score.
pub fn worst(pictures: &[Vec<u8>], labels: &[u8], scores: &[Vec<f32>]) -> Vec<Mistake> {
    let all = pictures.iter().zip(labels).zip(scores);
    let mut found: Vec<(f32, Mistake)> = all
        .filter_map(|((picture, &label), scores)| {
            let (answer, sure) = scores.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let right = *scores.get(usize::from(label))?;
            (answer != usize::from(label)).then(|| (right, Mistake { label, answer, sure, picture: picture.clone() }))
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().take(MOST).map(|(_, mistake)| mistake).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let scores = [vec![0.9, 0.1], vec![0.6, 0.4], vec![0.99, 0.01], vec![0.2, 0.8]];
        let pictures: Vec<Vec<u8>> = (0..4).map(|i| vec![i]).collect();
        let found = worst(&pictures, &[0, 1, 1, 1], &scores);
        assert_eq!(found.iter().map(|mistake| mistake.picture[0]).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((found[0].label, found[0].answer, found[0].sure), (1, 0, 0.99));
        assert!(worst(&pictures, &[9; 4], &scores).is_empty(), "labels without a score are no mistakes");
        let many = vec![vec![1.0, 0.0]; 40];
        assert_eq!(worst(&vec![vec![0]; 40], &[1; 40], &many).len(), MOST);
    }
}
