//! KVM trial

use crate::{js_output, sys_functions};

js_output! {
    struct KvmTrial {
        usable as "usable": bool,
        /// What was seen, in words.
        reason as "reason": String,
        elapsed_ms as "elapsedMs": f64,
    }
}

sys_functions! {
    /// Runs a small long-mode guest (int3 handler, cmpxchg16b, a counted loop) on /dev/kvm and believes only what it saw within `timeoutMs`.
    fn kvm_trial as "kvmTrial"(timeout_ms: f64) -> KvmTrial {
        #[cfg(target_arch = "x86_64")]
        {
            let verdict = crate::kvm::trial(timeout_ms);
            KvmTrial { usable: verdict.usable, reason: verdict.reason, elapsed_ms: verdict.elapsed_ms }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = timeout_ms;
            KvmTrial { usable: false, reason: "there is no trial guest for this architecture".into(), elapsed_ms: 0.0 }
        }
    }
}
