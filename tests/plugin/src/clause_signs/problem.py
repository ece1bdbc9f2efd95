"""At each word: the clause continues, ends and counts as it is, or ends and counts as its opposite."""

import torch

from hs_env.problems.problem import Column, EnvironmentText, Problem, Spans, TrainingDefaults

INSIDE, ADD, SUBTRACT = range(3)


class ClauseSigns(Problem):
    """Three actions; the last word ends a clause."""

    title = "clause signs"
    actions = ("INSIDE", "ADD", "SUBTRACT")
    span = ("clause", "clauses")
    closing_action = ADD
    columns = (
        Column("clauses_per_sentence", ("Clauses /", "sentence"), "num_clauses", "sentences", decimals=1),
        Column("subtracted", ("Clauses", "subtracted %"), "num_subtracted", "num_clauses", 100, 1),
    )
    defaults = TrainingDefaults(warm_start="signs_of_not", reward="few_clauses")
    environment = EnvironmentText(
        classifier="classifier.safetensors",
        corpus="clauses",
        reward="few_clauses",
        summary="Cut a sentence into clauses, and say of each whether it counts as its opposite.",
        description="A frozen classifier adds up the clauses.",
        meanings=("the clause continues", "the clause ends and is added", "the clause ends and is subtracted"),
        legality="INSIDE is not legal at the last word.",
        observation="Sum of the clauses, sum of the open clause, the word.",
        rewarded="`log P(gold | X) - 0.01 n` for n clauses",
        potential="it changes where a clause ends",
        information=(("num_clauses", "int", "number of clauses"), ("clauses", "tuple of str", "their words")),
        references="None.",
    )

    def legal(self, progress, left):
        ends = torch.ones_like(left, dtype=torch.bool)
        return torch.stack([left != 0, ends, ends], 1)

    def spans(self, actions, lengths):
        position = torch.arange(actions.shape[1], device=actions.device)
        row, last = ((actions != INSIDE) & (position < lengths[:, None])).nonzero().unbind(1)
        start = torch.zeros_like(last)
        same = row[1:] == row[:-1]
        start[1:][same] = last[:-1][same] + 1
        return Spans(row, start, last + 1, actions[row, last])

    def counts(self, actions, sentences):
        spans = self.spans(actions, sentences.lengths)
        subtracted = torch.bincount(spans.row, (spans.action == SUBTRACT).double(), minlength=len(actions))
        return {"num_clauses": spans.counts(len(actions)), "num_subtracted": subtracted}


CLAUSE_SIGNS = ClauseSigns()
