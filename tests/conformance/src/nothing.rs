//! What a store shows that keeps nothing and says so.

use keyedcache::store::{Guard, Incremented, Severity, Slot};

use crate::fixtures::{counter, record};
use crate::{Subject, Verdict};

/// No save takes place, and nothing is found.
pub fn nothing_that_is_saved_is_found(subject: &Subject<'_>) -> Verdict {
    let key = subject.key("nothing");
    for guard in [Guard::Always, Guard::Seen(None)] {
        assert!(!subject.save(&key, &record(b"nothing"), guard));
        assert_eq!(subject.load(&key), Slot::default());
    }
    assert!(subject.scan(subject.prefix()).is_empty());
    Ok(())
}

/// There is nothing to delete, clear, touch or count, and that is no error.
pub fn nothing_can_be_changed(subject: &Subject<'_>) -> Verdict {
    let (key, seen) = (subject.key("nothing"), counter(1).id());
    assert_eq!(subject.delete(std::slice::from_ref(&key)), 0);
    assert_eq!(subject.clear(subject.prefix()), 0);
    assert!(!subject.touch(&key, seen, subject.life(None, None)));
    assert_eq!(subject.increment(&key, seen, 1), Incremented::Changed(Slot::default()));
    Ok(())
}

/// Generations are answered all the same, and an invalidation replaces them: flights within the
/// process go by them.
pub fn generations_of_nothing_are_replaced(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("nothing");
    let before = subject.generation(&scope);
    assert_eq!(subject.generation(&scope), before, "nothing happened in between");
    subject.invalidate(std::slice::from_ref(&scope), Severity::Hard);
    assert_ne!(subject.generation(&scope).hard, before.hard);
    Ok(())
}
