"""Validation of jobs: the spec that cron jobs share, what updates may change, and writes to the status."""

from kubeactors.api.validation.job.job import job_errors, job_update_errors
from kubeactors.api.validation.job.spec import job_spec_errors
from kubeactors.api.validation.job.status import job_status_update_errors

__all__ = ["job_errors", "job_spec_errors", "job_status_update_errors", "job_update_errors"]
