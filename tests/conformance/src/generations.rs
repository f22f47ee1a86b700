//! The tokens that scopes bear: created once, replaced for everyone.

use std::collections::HashSet;

use keyedcache::record::Scope;
use keyedcache::store::Severity;

use crate::fixtures::record;
use crate::{Subject, Verdict};

/// A load finds no generation where none was created, and creates none.
pub fn load_finds_no_generation_of_an_unknown_scope(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("unknown");
    assert_eq!(subject.loaded_generation(&scope), None);
    assert_eq!(subject.loaded_generation(&scope), None);
    Ok(())
}

/// What was created is what everyone finds from then on.
pub fn created_generation_stays(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("stays");
    let created = subject.generation(&scope);
    for handle in [subject.handle(0), subject.other()] {
        assert_eq!(handle.generation(&scope), created);
        assert_eq!(handle.loaded_generation(&scope), Some(created));
    }
    Ok(())
}

/// No two scopes share a token, and no scope's hard token is its soft one.
pub fn generations_are_all_different(subject: &Subject<'_>) -> Verdict {
    let generations = subject.generations(&many_scopes(subject));
    let hard = generations.iter().map(|generation| generation.hard);
    let tokens: HashSet<_> =
        generations.iter().map(|generation| generation.soft).chain(hard).collect();
    assert_eq!(tokens.len(), 2 * generations.len());
    Ok(())
}

/// Generations of many scopes come in the order asked for, created or found, repeated or not.
pub fn generations_come_in_the_order_asked_for(subject: &Subject<'_>) -> Verdict {
    let scopes = many_scopes(subject);
    let some: Vec<_> = scopes.iter().step_by(3).cloned().collect();
    let found = subject.generations(&some);
    let all = subject.generations(&scopes);
    assert_eq!(all.iter().step_by(3).copied().collect::<Vec<_>>(), found);
    let turned: Vec<_> = scopes.iter().rev().cloned().collect();
    assert!(subject.generations(&turned).iter().rev().eq(&all));
    let loaded = subject.load_all(&[], &turned).generations;
    assert!(
        loaded.iter().rev().eq(all
            .iter()
            .map(|generation| Some(*generation))
            .collect::<Vec<_>>()
            .iter())
    );
    let twice = [scopes[5].clone(), subject.scope("new"), scopes[5].clone(), subject.scope("new")];
    let twice = subject.generations(&twice);
    assert_eq!((twice[0], twice[1]), (twice[2], twice[3]));
    assert!(subject.generations(&[]).is_empty());
    Ok(())
}

/// Of many who create one generation at once, all get the same.
pub fn all_who_create_a_generation_get_the_same(subject: &Subject<'_>) -> Verdict {
    for round in 0..10 {
        let scope = subject.scope(&format!("race::{round}"));
        let created: HashSet<_> =
            subject.contest(8, |_, handle| handle.generation(&scope)).into_iter().collect();
        assert_eq!(created.len(), 1);
        let stored = subject.loaded_generation(&scope);
        assert_eq!(stored, created.into_iter().next());
    }
    Ok(())
}

/// A hard invalidation replaces the hard token and leaves the soft one.
pub fn hard_invalidation_replaces_the_hard_token_alone(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("hard");
    let before = subject.generation(&scope);
    subject.invalidate(std::slice::from_ref(&scope), Severity::Hard);
    for handle in [subject.handle(0), subject.other()] {
        let after = handle.generation(&scope);
        assert_ne!(after.hard, before.hard);
        assert_eq!(after.soft, before.soft);
    }
    Ok(())
}

/// A soft invalidation replaces the soft token and leaves the hard one.
pub fn soft_invalidation_replaces_the_soft_token_alone(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("soft");
    let before = subject.generation(&scope);
    subject.invalidate(std::slice::from_ref(&scope), Severity::Soft);
    for handle in [subject.handle(0), subject.other()] {
        let after = handle.generation(&scope);
        assert_eq!(after.hard, before.hard);
        assert_ne!(after.soft, before.soft);
    }
    Ok(())
}

/// Right after an invalidation, a load finds another generation or none.
pub fn load_after_an_invalidation_never_finds_the_old_token(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("loaded");
    let before = subject.generation(&scope);
    subject.invalidate(std::slice::from_ref(&scope), Severity::Hard);
    for handle in [subject.handle(0), subject.other()] {
        let found = handle.loaded_generation(&scope);
        assert!(found.is_none_or(|found| found.hard != before.hard), "{found:?}");
    }
    Ok(())
}

/// No token comes back, however often a scope is invalidated.
pub fn replaced_tokens_never_come_back(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("often");
    let mut hard = HashSet::from([subject.generation(&scope).hard]);
    let mut soft = HashSet::from([subject.generation(&scope).soft]);
    for _ in 0..20 {
        subject.invalidate(std::slice::from_ref(&scope), Severity::Hard);
        assert!(hard.insert(subject.generation(&scope).hard));
        subject.invalidate(std::slice::from_ref(&scope), Severity::Soft);
        assert!(soft.insert(subject.generation(&scope).soft));
    }
    Ok(())
}

/// Invalidating a scope that has no generation yet works, and what is created then stays.
pub fn unknown_scope_can_be_invalidated(subject: &Subject<'_>) -> Verdict {
    for severity in [Severity::Hard, Severity::Soft] {
        let scope = subject.scope(&format!("unknown::{severity:?}"));
        subject.invalidate(std::slice::from_ref(&scope), severity);
        let found = subject.loaded_generation(&scope);
        let created = subject.other().generation(&scope);
        assert!(found.is_none_or(|found| found == created), "{found:?}, then {created:?}");
        assert_eq!(subject.generation(&scope), created);
        assert_eq!(subject.loaded_generation(&scope), Some(created));
    }
    Ok(())
}

/// Many scopes are invalidated at once, and no others.
pub fn many_scopes_are_invalidated_at_once(subject: &Subject<'_>) -> Verdict {
    let scopes = many_scopes(subject);
    let before = subject.generations(&scopes);
    subject.invalidate(&[], Severity::Hard);
    assert_eq!(subject.generations(&scopes), before);
    let (struck, spared) = scopes.split_at(scopes.len() / 2);
    subject.invalidate(struck, Severity::Hard);
    let after = subject.other().generations(&scopes);
    for (place, (before, after)) in before.iter().zip(&after).enumerate() {
        let is_struck = place < struck.len();
        assert_eq!(before.hard != after.hard, is_struck, "scope {place}");
        assert_eq!(before.soft, after.soft, "scope {place}");
    }
    assert_eq!(spared.len(), scopes.len() - struck.len());
    Ok(())
}

/// A scope whose text begins another's is another scope.
pub fn scopes_that_begin_one_another_are_apart(subject: &Subject<'_>) -> Verdict {
    let scopes = ["a", "a:", "a::b", "ab", "A", "a*", ""].map(|name| subject.scope(name));
    let before = subject.generations(&scopes);
    subject.invalidate(&scopes[..1], Severity::Hard);
    let after = subject.generations(&scopes);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
    Ok(())
}

/// Invalidating touches no record and no lease: what it means is for the reader to judge.
pub fn invalidation_leaves_records_and_leases(subject: &Subject<'_>) -> Verdict {
    let (key, stored, scope) = (subject.key("kept"), record(b"kept"), subject.scope("kept"));
    subject.put(&key, &stored);
    let leases = subject.capabilities().leases;
    let token = leases.then(|| subject.leased(&key));
    subject.generation(&scope);
    for severity in [Severity::Hard, Severity::Soft] {
        subject.invalidate(std::slice::from_ref(&scope), severity);
        let slot = subject.load(&key);
        assert_eq!((slot.record.as_ref(), slot.lease), (Some(&stored), token));
    }
    Ok(())
}

/// Each of many invalidations at once is seen by the one who made it.
pub fn simultaneous_invalidations_all_take_effect(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("struck by all");
    subject.generation(&scope);
    subject.contest(4, |_, handle| {
        for _ in 0..20 {
            let before = handle.generation(&scope);
            handle.invalidate(std::slice::from_ref(&scope), Severity::Hard);
            handle.invalidate(std::slice::from_ref(&scope), Severity::Soft);
            let after = handle.generation(&scope);
            assert!(before.hard != after.hard && before.soft != after.soft);
        }
    });
    Ok(())
}

fn many_scopes(subject: &Subject<'_>) -> Vec<Scope> {
    (0..60).map(|n| subject.scope(&format!("many::{n}"))).collect()
}
