"""What an operator does: start, stop, migrate, look after. Stands on top of everything else."""
