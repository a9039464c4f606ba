"""From crawled pages and files to token shards: cleaning, filtering, packing.

    text = main_text.extract(decoding.decode(raw))       # one page
    qingyu data build recipe.toml                        # a data set

Steps are datatrove blocks, so that a pipeline runs on one machine, on Slurm or on Ray.
"""
