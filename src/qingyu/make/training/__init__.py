"""Training: from shards of tokens to a run folder with a model in it.

    config = read_recipe(Path("recipe.toml"), ["steps=100"])     # recipe.py
    outcome = train(config, resume=False, report=print)          # trainer.py

    config.py        the whole recipe, typed      recipe.py      TOML and --set into it
    start.py         the weights to begin with    batches.py     rows, micro-batches, documents
    network.py       the decoder's forward        kernels.py     its norm, rotation, SwiGLU
    attention.py     within documents             head.py        the loss, tokens in pieces
    masters.py       float32 weights, AdamW       sharded.py     the same over many processes
    schedule.py      learning rate                guard.py       NaN and spikes
    split.py         documents held out
    trainer.py       the loop                     evaluation.py  held-out loss
    checkpoints.py   whole, checksummed           run_folder.py  configuration, metrics
    teacher.py       distillation                 adapter.py     LoRA
    curve.py         the loss drawn               machine.py     its peak, its memory
    plan.py          memory and time for a cluster

torch, transformers, peft and accelerate do the work, and are imported when it begins.
"""
