"""What to write against each kind of finding: with a network, with an estimator, and on the command line.

Braces are filled with the finding's evidence.
"""

from __future__ import annotations

from typing import Any

NETWORK, ESTIMATOR, COMMAND = "network", "estimator", "command"
SPARSE = "sparse"  # where something else is to be written for sparse matrices, whoever reads it

_SCALED = "X = (X - X.mean(axis=0)) / X.std(axis=0), with the same numbers for the rows to predict"
_WITHOUT = 'X = X[:, np.setdiff1d(np.arange(X.shape[1]), finding.evidence["columns"])]'
_FAR = "train again on rows like these: {} are scaled with the training rows, and these are far from them"
_OTHER_FEATURES = "leave them out with --drop, or say with --features which columns to take"
_RESTART = 'init="glorot_uniform", or "he_uniform" for relu, which draws weights at the scale of the layers'
_RANDOM = 'init="glorot_uniform" (or another that draws numbers) gives each neuron weights of its own'

REMEDIES: dict[str, dict[str, str]] = {
    "nonfinite_inputs": {
        NETWORK: "drop such rows: keep = np.isfinite(X).all(axis=1); X, Y = X[keep], Y[keep]; or fill in what is "
        "likely, such as the mean of the column's other rows",
        ESTIMATOR: "drop such rows, or fill in what is NaN: make_pipeline(SimpleImputer(), StandardScaler(), model)",
    },
    "nonfinite_targets": {NETWORK: "drop such rows: a target that is not known cannot be learnt"},
    "nonfinite_parameters": {
        NETWORK: "make a new network, and train it with a lower learning rate or clip_norm=1.0",
        ESTIMATOR: "fit again with a lower learning_rate_init, or clip_norm=1.0",
        COMMAND: "train again with a lower --learning-rate",
    },
    "overflow": {
        NETWORK: 'scale inputs and targets to about 1, lower the learning rate, or use dtype="float64"',
        COMMAND: "train again with a lower --learning-rate, or --dtype float64",
    },
    "unscaled_inputs": {
        NETWORK: _SCALED,
        SPARSE: "divide each column by its largest absolute value, which keeps zeros: scikit-learn's MaxAbsScaler()",
        ESTIMATOR: "make_pipeline(StandardScaler(), model), which scales in fit and in predict",
        COMMAND: _FAR.format("inputs"),
    },
    "constant_columns": {
        NETWORK: f"leave them out: {_WITHOUT}",
        ESTIMATOR: "leave them out: make_pipeline(VarianceThreshold(), StandardScaler(), model)",
        COMMAND: _OTHER_FEATURES,
    },
    "copied_columns": {
        NETWORK: f"leave the copies out: {_WITHOUT}",
        ESTIMATOR: 'leave the copies out: X.drop(columns=finding.evidence["names"]), or np.delete for arrays',
        COMMAND: _OTHER_FEATURES,
    },
    "unscaled_targets": {
        NETWORK: "train on (Y - Y.mean(axis=0)) / Y.std(axis=0), and undo it with the same numbers after predict",
        ESTIMATOR: "TransformedTargetRegressor(model, transformer=StandardScaler())",
        COMMAND: _FAR.format("targets"),
    },
    "constant_targets": {
        NETWORK: "look at where Y comes from: is it the right column?",
        COMMAND: "look at the target's column: is it the right --target?",
    },
    "unreachable_targets": {
        NETWORK: 'output_activation="linear", or scale the targets into that range',
        ESTIMATOR: 'out_activation="identity", or scale the targets into that range',
    },
    "wrong_loss": {
        NETWORK: 'loss="log_loss", whose gradient does not vanish where a sigmoid is flat',
        ESTIMATOR: "MLPClassifier, whose log loss does not vanish where a sigmoid is flat",
    },
    "numbered_classes": {
        NETWORK: 'for classes, {outputs} outputs with output_activation="softmax" and loss="log_loss"; for counts, '
        'output_activation="exp" and loss="poisson"; marks, whose distances mean something, may stay',
        ESTIMATOR: 'MLPClassifier for classes; loss="poisson" for counts; marks, whose distances mean something, may '
        "stay",
        COMMAND: "--task classification for classes; --loss poisson for counts; marks, whose distances mean something, "
        "may stay",
    },
    "class_imbalance": {
        NETWORK: "sample_weight that gives classes the same sum: with labels as integers, "
        "len(labels) / (n_classes * np.bincount(labels)[labels])",
        ESTIMATOR: 'class_weight="balanced"',
        COMMAND: "train with --class-weight balanced",
    },
    "symmetric_neurons": {
        NETWORK: _RANDOM,
        COMMAND: "train again: initial weights are drawn",
    },
    "dead_units": {
        NETWORK: 'init="he_uniform" and a lower learning rate, or activation="leaky_relu", which is never flat',
        ESTIMATOR: 'init="he_uniform" and a lower learning_rate_init, or activation="leaky_relu", which is never flat',
        COMMAND: "a lower --learning-rate, or --activation leaky_relu, which is never flat",
    },
    "dead_outputs": {
        NETWORK: 'a new network with output_activation="linear", or "softplus" where targets are positive',
        ESTIMATOR: 'out_activation="identity", or "softplus" where targets are positive',
    },
    "saturated_units": {
        NETWORK: f"scale the inputs, or start with smaller weights: {_RESTART}",
        COMMAND: "a lower --learning-rate, or --activation relu",
    },
    "shrunk_weights": {
        NETWORK: 'a smaller l2, l1 or weight_decay in the optimizer; or init="glorot_uniform", if they began so',
        ESTIMATOR: 'a smaller alpha, l1 or weight_decay; or init="glorot_uniform", if they began so',
        COMMAND: "a smaller --l2 or --alpha",
    },
    "vanishing_gradients": {
        NETWORK: 'activation="relu" with init="he_uniform", or fewer layers',
        COMMAND: "--activation relu, or fewer layers in --hidden",
    },
    "exploding_gradients": {
        NETWORK: f"{_RESTART}; clip_norm=1.0 in the optimizer meanwhile",
        ESTIMATOR: f"{_RESTART}; clip_norm=1.0 meanwhile",
        COMMAND: "a lower --learning-rate, or fewer layers in --hidden",
    },
    "learning_rate_too_high": {
        NETWORK: 'a new network (init="glorot_uniform", or "he_uniform" for relu), and '
        "learning_rate={suggestion:.2g} in {rule}",
        ESTIMATOR: "learning_rate_init={suggestion:.2g}",
    },
    "learning_rate_too_low": {
        NETWORK: "learning_rate={suggestion:.2g} in {rule}",
        ESTIMATOR: "learning_rate_init={suggestion:.2g}",
    },
    "stopped_too_early": {
        NETWORK: "more epochs (train goes on where it was, with the same optimizer), or a larger learning rate; "
        "fastmlp.EarlyStopping(patience=20), or more, ends runs where the validation loss no longer falls",
        ESTIMATOR: 'max_iter={epochs_to_try} or more; early_stopping=True with scoring="loss" and n_iter_no_change=20 '
        "ends runs where the validation loss no longer falls",
    },
    "overfit": {
        NETWORK: "callbacks=[fastmlp.EarlyStopping()] with validation_data, l2 in the optimizer, dropout, a smaller "
        "network, or more rows",
        ESTIMATOR: 'early_stopping=True with scoring="loss", a larger alpha, dropout, fewer units in '
        "hidden_layer_sizes, or more rows",
        COMMAND: "--early-stopping, --alpha, --dropout, a smaller --hidden, or more rows",
    },
    "underfit": {
        NETWORK: "train for more epochs, or with a learning rate from fastmlp.find_learning_rate; if that changes "
        "nothing, add layers or units, or ask whether these inputs tell of these targets at all",
        ESTIMATOR: "a larger max_iter or learning_rate_init; if that changes nothing, more units in "
        "hidden_layer_sizes, or ask whether these inputs tell of these targets at all",
        COMMAND: "more --epochs or a larger --hidden; if that changes nothing, ask whether these columns tell of the "
        "target at all",
    },
}


def remedy_of(kind: str, audience: str, evidence: dict[str, Any], is_sparse: bool = False) -> str:
    """Return what to write, in the terms of who is to read it; those of networks where there are no others."""
    texts = REMEDIES[kind]
    audience = SPARSE if is_sparse and SPARSE in texts else audience
    return texts.get(audience, texts[NETWORK]).format(**evidence)
