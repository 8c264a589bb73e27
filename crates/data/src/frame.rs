/// The height and width of an image in pixels.
pub const SIDE: usize = 28;

/// The digit itself is scaled to fit a box of this height and width.
pub(crate) const BOX: usize = 20;

/// Puts a digit of `width` pixels a row, at most [`BOX`] wide and high, into a frame as MNIST has it: the centre of
/// mass is in the middle, (14, 14), as far as whole pixels and the frame allow.
pub(crate) fn centre(ink: &[u8], width: usize) -> [u8; SIDE * SIDE] {
    let height = ink.len() / width;
    let (mut mass, mut down, mut right) = (0, 0, 0);
    for (i, &ink) in ink.iter().enumerate() {
        mass += u64::from(ink);
        down += u64::from(ink) * (i / width) as u64;
        right += u64::from(ink) * (i % width) as u64;
    }
    let margin = |moment: u64, size: usize| {
        let centre = ((2 * moment + mass) / (2 * mass).max(1)) as usize; // rounded
        (SIDE / 2).saturating_sub(centre).min(SIDE - size)
    };
    let (top, left) = (margin(down, height), margin(right, width));
    let mut frame = [0; SIDE * SIDE];
    for (y, row) in ink.chunks_exact(width).enumerate() {
        frame[(top + y) * SIDE + left..][..width].copy_from_slice(row);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mass_is_centred() {
        let frame = centre(&[255; 20 * 4], 4); // centre of mass (9.5, 1.5)
        assert_eq!(frame.iter().position(|&ink| ink > 0), Some(4 * SIDE + 12));
        let mut lopsided = [1; BOX * BOX];
        lopsided[0] = 255;
        lopsided[1] = 255;
        assert_eq!(centre(&lopsided, BOX)[..], {
            let mut frame = [0; SIDE * SIDE];
            for (y, row) in lopsided.chunks_exact(BOX).enumerate() {
                frame[(8 + y) * SIDE + 8..][..BOX].copy_from_slice(row); // as far as the frame allows
            }
            frame
        });
    }

    #[test]
    fn nothing_is_nowhere() {
        assert_eq!(centre(&[0; 6], 3), [0; SIDE * SIDE]);
    }
}
