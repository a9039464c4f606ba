"""Make a model: data, tokenizer, training, fine-tuning, adapters, export.

    qingyu data build RECIPE && qingyu train RECIPE && qingyu export RUN

Needs the extra `make` (torch, transformers, peft, accelerate, datatrove); nothing here is imported
by another verb. Knows nothing of running a model: that is `qingyu.engine`, to which it exports.
"""
