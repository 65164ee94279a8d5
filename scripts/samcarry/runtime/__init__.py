"""What a job needs from its machine: devices, batches, processes and progress in the log."""
