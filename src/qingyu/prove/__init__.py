"""Prove what a model knows: C-Eval, CMMLU, the leaderboard, receipts, reports.

    qingyu eval ceval --shots 5        # on the command line: qingyu.cli.evaluate

Facts (subjects, published scores) are here; questions are not, for their licence forbids it.
"""
