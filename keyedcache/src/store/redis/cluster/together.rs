//! Several nodes asked at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// What all of them answer, in their order. One alone costs nothing more than itself.
pub(super) async fn together<F: Future>(mut all: Vec<F>) -> Vec<F::Output> {
    if all.len() < 2 {
        return match all.pop() {
            Some(one) => vec![pin!(one).await],
            None => Vec::new(),
        };
    }
    let mut all: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for (one, answer) in &mut all {
            if answer.is_none()
                && let Poll::Ready(ready) = Pin::new(one).poll(context)
            {
                *answer = Some(ready);
            }
            is_done &= answer.is_some();
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, answer)| answer).collect()
}
