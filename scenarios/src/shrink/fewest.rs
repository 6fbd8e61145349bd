//! As few items of a list as will do. Knows nothing of what they are.

/// Leaves out as many items as will do, in the manner of ddmin: first big pieces, then smaller ones, until no single item
/// can be left out. `first` is asked about several lists, each with another piece left out, and says which is the first
/// that still will; it is never asked about all items, which will.
pub fn fewest<T: Clone>(items: &[T], mut first: impl FnMut(&[Vec<T>]) -> Option<usize>) -> Vec<T> {
    if items.is_empty() || first(&[Vec::new()]).is_some() {
        return Vec::new();
    }
    let mut left = items.to_vec();
    let mut piece = left.len().div_ceil(2);
    loop {
        // Pieces before this one were tried at this size, from this list or from a longer one.
        let mut begin = 0;
        let mut shorter = false;
        while begin < left.len() {
            let starts: Vec<usize> =
                (begin..left.len()).step_by(piece).filter(|start| start + piece < left.len() || *start > 0).collect();
            let lists: Vec<Vec<T>> = starts.iter().map(|start| without(&left, *start, piece)).collect();
            let Some(found) = first(&lists) else { break };
            begin = starts[found];
            left.clone_from(&lists[found]);
            shorter = true;
        }
        if piece == 1 && !shorter {
            return left;
        }
        piece = if shorter { piece.min(left.len()).max(1) } else { piece.div_ceil(2) };
    }
}

fn without<T: Clone>(items: &[T], start: usize, piece: usize) -> Vec<T> {
    let end = (start + piece).min(items.len());
    items[..start].iter().chain(&items[end..]).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Asks one list after another.
    fn few(items: &[usize], mut still: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
        fewest(items, |lists| lists.iter().position(|list| still(list)))
    }

    #[test]
    fn nothing_is_left_of_what_breaks_without_any_fault() {
        assert_eq!(few(&[1, 2, 3], |_| true), Vec::<usize>::new());
    }

    #[test]
    fn all_is_left_of_what_needs_every_fault() {
        assert_eq!(few(&[1, 2, 3, 4, 5], |left| left.len() == 5), vec![1, 2, 3, 4, 5]);
        assert_eq!(few(&[1], |left| left.len() == 1), vec![1]);
    }

    proptest! {
        #[test]
        fn exactly_the_needed_faults_are_left_in_their_order(
            size in 1..60_usize,
            needed in proptest::collection::btree_set(0..60_usize, 1..5),
        ) {
            let items: Vec<usize> = (0..size.max(60)).collect();
            let needed: Vec<usize> = needed.into_iter().collect();
            let mut asked = 0;
            let left = few(&items, |left| {
                asked += 1;
                needed.iter().all(|item| left.contains(item))
            });
            prop_assert_eq!(&left, &needed);
            prop_assert!(asked < 200, "{} runs for {} of {}", asked, needed.len(), items.len());
        }
    }
}
