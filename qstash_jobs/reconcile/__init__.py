"""The step that makes an account as declared: observe, apply, read back."""

from qstash_jobs.reconcile.apply import apply_changes
from qstash_jobs.reconcile.asking import Asking, Failed
from qstash_jobs.reconcile.observe import ALL_KINDS, observe, read_back

__all__ = ["ALL_KINDS", "Asking", "Failed", "apply_changes", "observe", "read_back"]
