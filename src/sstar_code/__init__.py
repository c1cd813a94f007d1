"""Better programs from any model: sample, run, repair, and choose by what the programs do."""
