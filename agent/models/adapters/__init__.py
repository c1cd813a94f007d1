"""Adapters that a run trains for a model that it serves itself: small changes of its weights (LoRA).

training.py    what an adapter is trained on, and its name
train_lora.py  the steps, in a process of its own
learned_step.py  a step by a learned optimiser, in that process
trainer.py     that process, and which Python runs it
loaded.py      adapters are loaded, asked for and unloaded
"""
