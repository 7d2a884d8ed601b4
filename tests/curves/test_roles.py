"""Raw names as trainers really write them, and the role each stands for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.curve import Curve, make_curve
from app.curves.roles import ROLES, check_overrides, choose, is_split, names_split, role_of, to_roles
from app.errors import InvalidInput

# One line a role; names are separated by commas.
NAMED = {
    "train/loss": (
        "loss, Loss, LOSS, train_loss, train/loss, train.loss, train-loss, training loss, Training/Loss, trainLoss, "
        "training_loss, TrainLoss, loss/train, Loss/Train, loss_train, epoch_loss, epoch_train_loss, loss_epoch, "
        "loss_step, train_loss_epoch, train_loss_step, train/loss_step, train/epoch_loss, batch_loss, step_loss, "
        "total_loss, loss/total, avg_loss, mean_loss, train_avg_loss, loss_per_batch, nll_loss, ce_loss, "
        "cross_entropy, train/cross_entropy_loss, crossentropy, lm_loss, lm loss, metrics/train_loss, "
        "metrics.train.loss, train/loss/dataloader_idx_0, iteration_loss, loss vs iterations, train/train_loss, "
        "train-mlogloss, train/batch_loss, train_epoch/loss, training_log_loss, training-multi_logloss, "
        "sparse_categorical_crossentropy, categorical_crossentropy, binary_crossentropy, epoch/train_loss, "
        "metrics/train/LanguageCrossEntropy, loss/train/total, train_metrics/loss, train_nll_loss, average_loss"
    ),
    "val/loss": (
        "val_loss, val/loss, valid_loss, validation/loss, validation_loss, eval_loss, eval/loss, loss/val, Loss/val, "
        "Loss/Validation, dev_loss, dev/loss, epoch_val_loss, val_loss_epoch, valLoss, ValLoss, Validation Loss, "
        "val.loss, val/epoch_loss, evaluation_loss_vs_iterations, lm loss validation, holdout/loss, eval/nll, "
        "val_loss/dataloader_idx_1, validation/epoch_loss, evaluation_loss_vs_iterations, eval-logloss, held_out_loss, "
        "heldout/loss, val_sparse_categorical_crossentropy, val_binary_crossentropy, "
        "metrics/eval/LanguageCrossEntropy, valid_metrics/loss, lm-loss-validation, validation/validation_loss, "
        "eval/eval_loss, test_loss, test/loss, Loss/test, testing_loss"
    ),
    "train/accuracy": (
        "acc, accuracy, Accuracy, train_acc, train/acc, train_accuracy, training accuracy, acc/train, epoch_accuracy, "
        "categorical_accuracy, sparse_categorical_accuracy, binary_accuracy, MulticlassAccuracy, top1, top-1, top_1, "
        "acc@1, Acc@1, acc1, train_acc1, prec@1, prec1, top1_acc, top_1_accuracy, accuracy/top1, accuracy_score, "
        "mean_token_accuracy, train/top1, trainAcc, train_accuracy_epoch, train/epoch_accuracy, batch_accuracy, "
        "training_accuracy_score, accuracy/top1, acc/top1, metrics/train/MulticlassAccuracy, train_acc_top1"
    ),
    "val/accuracy": (
        "val_acc, val_accuracy, val/acc, eval/acc, eval_accuracy, eval_top1, val_acc1, val_acc@1, valid/accuracy, "
        "validation/accuracy, val_categorical_accuracy, val_sparse_categorical_accuracy, test_accuracy, test/acc, "
        "val_top1, val/top-1, val_prec@1, dev_acc, Accuracy/val, valAcc, eval_mean_token_accuracy, test_acc1, "
        "validation/epoch_accuracy, evaluation_accuracy_vs_iterations, val/accuracy/top1, "
        "val/metrics/accuracy_top1, metrics/eval/MulticlassAccuracy, valid_acc_top_1"
    ),
    "train/perplexity": "ppl, perplexity, train_ppl, train/perplexity, metrics/train/LanguagePerplexity",
    "val/perplexity": "val_ppl, eval/perplexity, valid_ppl, test_ppl",
    "train/error": "train_error, train/err, error, error_rate, train_top1_err, train-merror, classification_error",
    "val/error": (
        "val_error, val/err, top1_err_val, valid_error_rate, test_error, val_err1, eval_top1_error, eval-merror"
    ),
    "lr": (
        "lr, LR, learning_rate, learning rate, Learning Rate, learning-rate, learningRate, learnrate, lr-Adam, "
        "lr-AdamW, lr-SGD, lr-SGD/pg1, lr-AdamW/pg2, lr-RMSprop, lr-NAdam, lr-Adam-1, lr/pg0, lr/pg2, train/lr, "
        "train/learning_rate, train_lr, epoch_lr, epoch_learning_rate, lr_0, lr/group_1, base_lr, current_lr, "
        "optimizer/lr, lr-Adam8bit, optim.param_group.0.lr, "
        "lr-DecoupledAdamW/group0, lr-SOAP, lr-Shampoo, lr-Prodigy, lr-AdEMAMix, lr_scheduler/lr"
    ),
    "epoch": "epoch, Epoch, train/epoch, current_epoch",
}
UNMAPPED = (
    "grad_norm, train/grad_norm, train/box_loss, box_loss, cls_loss, train/cls_loss, dfl_loss, val/dfl_loss, obj_loss, "
    "loss_cls, loss_bbox, loss_scale, loss scale, top5, eval_top5, top_5, acc@5, val_acc5, top_5_accuracy, "
    "sparse_top_k_categorical_accuracy, top_k_accuracy, kl_loss, aux_loss, regularization_loss, reg_loss, l2_loss, "
    "weight_decay_loss, train_runtime, train_samples_per_second, eval_samples_per_second, eval_runtime, step, "
    "global_step, train/global_step, iteration, val_loss_std, val_loss_min, best_val_loss, val_loss_best, min_loss, "
    "smoothed_loss, smooth_loss, loss_ema, ema_val_loss, running_loss, d_loss, g_loss, generator/loss, loss_1, "
    "output_1_loss, dense_2_accuracy, metrics/accuracy_top1, metrics/loss, metrics/precision, f1, val_f1, auc, "
    "val/mAP50, precision, prec, recall, val/prec@5, balanced_accuracy, mse, val_mae, mean_squared_error, wer, bleu, "
    "val_bpb, lr_decay, initial_lr, min_lr, lr-Adam-momentum, val_lr, warmup_lr_ratio, train_val_loss, "
    "train_eval_loss, train, val, time, epoch_time, seconds_per_step, loss_delta, loss_diff, gpu_mem, accuracy_loss, "
    "loss/accuracy, ppl_loss, 1-acc, acc_1_5, top1_top5, validation_0-logloss, λ_loss, Δloss, learning, rate, "
    "epochs, val_epoch, "
    " , ,@, 损失, "
    # ... and beside the curves in the logs that are read from disk.
    "hp_metric, train/global_step, trainer/global_step, total_flos, eval_steps_per_second, entropy, num_tokens, "
    "eval_top1_(EMA), eval_acc1_ema, val/metrics/accuracy_top5, val/metrics/mAP50(B), val/metrics/mAP50-95(B), "
    "metrics/precision(B), metrics/recall(B), train/seg_loss, train/pose_loss, train/kobj_loss, val/box_loss, "
    "accuracy/top5, coco/bbox_mAP, val/coco/bbox_mAP, decode.loss_ce, decode.acc_seg, aux.loss_ce, loss_rpn_cls, "
    "loss_mask, mIoU, aAcc, mAcc, data_time, memory, eta, train_class_error, test_class_error, train_loss_ce_0, "
    "train_loss_ce_unscaled, train_cardinality_error_unscaled, test_coco_eval_bbox, n_parameters, _step, _runtime, "
    "_timestamp, system/cpu_utilization_percentage, system.gpu.0.memory, params-norm, iteration-time, "
    "train/value_loss, train/policy_gradient_loss, train/entropy_loss, train/approx_kl, rollout/ep_rew_mean, "
    "charts/SPS, losses/value_loss, eval_rewards/accuracies, val_dice_loss, focal_loss, mse_loss, l1_loss, "
    "huber_loss, triplet_loss, contrastive_loss, ctc_loss, vae_loss, oob_error, cv_loss, valid_0-binary_logloss, "
    "language_loss, binary_loss, categorical_loss, d_lr, g_lr, lr_backbone, lr_scale, momentum, weight_decay, timestamp"
)
TABLE: list[tuple[str, str | None]] = [(raw.strip(), role) for role, raws in NAMED.items() for raw in raws.split(",")]
TABLE += [(name.strip(), None) for name in UNMAPPED.split(",")]


@pytest.mark.parametrize(("raw", "role"), TABLE)
def test_the_role_of_a_name(raw: str, role: str | None) -> None:
    assert role_of(raw).name == role


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len({raw for raw, role in TABLE if role}) >= 120
    assert len({raw for raw, role in TABLE if not role}) >= 60


@given(st.text())
def test_any_text_has_a_role_or_none(raw: str) -> None:
    assert role_of(raw).name is None or role_of(raw).name in ROLES


@pytest.mark.parametrize("name", ROLES)
def test_a_canonical_name_is_its_own_role(name: str) -> None:
    assert role_of(name) == ROLES[name]


def test_a_test_split_stands_in_for_validation_only() -> None:
    assert (role_of("test_loss").split, role_of("test_loss").stand_in) == ("val", True)
    assert not role_of("val_loss").stand_in


def test_a_split_that_a_name_says_beside_other_things_or_alone() -> None:
    assert [names_split(name) for name in ("eval_loss", "Train/x", "test", "loss", "train_val_loss")] == [
        "val",
        "train",
        "val",
        None,
        None,
    ]
    assert [is_split(name) for name in ("validation", "Train", "eval_resnet", "train_val", "", "x")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def curve(*values: float) -> Curve:
    return make_curve("raw", range(len(values)), values)


def values_of(curves: dict[str, Curve], overrides: dict[str, str] | None = None) -> dict[str, list[float]]:
    return {name: c.values.tolist() for name, c in to_roles(curves, overrides or {}).items()}


def test_curves_get_the_name_of_their_role_and_the_rest_is_left_out() -> None:
    ready = to_roles({"loss": curve(1), "grad_norm": curve(2), "empty_loss": curve(), "LR": curve(0.1)}, {})
    assert {name: c.name for name, c in ready.items()} == {"train/loss": "train/loss", "lr": "lr"}


def test_the_curve_that_is_chosen_for_a_role_can_be_told() -> None:
    curves = {"train_loss_epoch": curve(1), "train_loss_step": curve(2, 2), "val_loss": curve(1), "box_loss": curve(1)}
    assert choose(curves, {}) == {"train/loss": "train_loss_step", "val/loss": "val_loss"}
    assert choose(curves, {"box_loss": "val/loss"})["val/loss"] == "box_loss"


def test_a_curve_without_points_has_no_role() -> None:
    assert values_of({"train/loss": curve(), "loss": curve(1)}) == {"train/loss": [1]}


def test_the_exact_name_wins_over_more_points() -> None:
    assert values_of({"train/loss": curve(1), "loss": curve(2, 2)}) == {"train/loss": [1]}


def test_more_finite_points_win() -> None:
    curves = {"train_loss_epoch": curve(1, math.nan, math.nan), "train_loss_step": curve(2, 2)}
    assert values_of(curves) == {"train/loss": [2, 2]}


def test_the_plainer_name_wins_and_then_the_alphabet() -> None:
    assert values_of({"ce_loss": curve(1), "loss": curve(2)}) == {"train/loss": [2]}
    assert values_of({"train_loss": curve(1), "loss_train": curve(2)}) == {"train/loss": [2]}


def test_the_test_split_is_judged_only_without_any_validation() -> None:
    assert values_of({"test_loss": curve(1)}) == {"val/loss": [1]}
    assert values_of({"test_loss": curve(1), "val_acc": curve(0.5)}) == {"val/accuracy": [0.5]}


def test_per_cent_becomes_a_fraction() -> None:
    assert values_of({"acc": curve(1.0, 50, math.nan, 100)})["train/accuracy"][:2] == [0.01, 0.5]
    assert values_of({"acc": curve(0.2, 1.0)}) == {"train/accuracy": [0.2, 1.0]}
    assert values_of({"acc": curve(math.nan)})["train/accuracy"] == pytest.approx([math.nan], nan_ok=True)


def test_error_becomes_accuracy_where_it_can_only_be_a_rate() -> None:
    assert values_of({"val_error": curve(0.75, 0.25)}) == {"val/accuracy": [0.25, 0.75]}
    assert values_of({"val_top1_err": curve(75.0, 25.0)}) == {"val/accuracy": [0.25, 0.75]}
    assert values_of({"val_error_rate": curve(75.0)}) == {"val/accuracy": [0.25]}
    assert values_of({"val_error": curve(75.0, 25.0)}) == {}  # it may be a mean absolute error
    assert values_of({"val_error_rate": curve(750.0)}) == {}
    assert values_of({"val_error": curve(-0.5)}) == {}
    assert values_of({"val_error": curve(75.0)}, {"val_error": "val/error"}) == {"val/accuracy": [0.25]}
    assert values_of({"val_error": curve(0.5), "val_acc": curve(0.6)}) == {"val/accuracy": [0.6]}


def test_perplexity_becomes_loss_where_there_is_none() -> None:
    assert values_of({"val_ppl": curve(math.e, math.inf, 1)}) == {"val/loss": [1, math.inf, 0]}
    assert values_of({"ppl": curve(math.e), "val_loss": curve(2)}) == {"train/loss": [1], "val/loss": [2]}
    assert values_of({"ppl": curve(math.e), "loss": curve(2)}) == {"train/loss": [2]}
    assert values_of({"ppl": curve(math.e, 0)}) == {}
    assert np.isnan(values_of({"ppl": curve(math.nan)})["train/loss"]).all()


def test_an_override_wins_over_everything() -> None:
    curves = {"train/loss": curve(1, 1), "box_loss": curve(2)}
    assert values_of(curves, {"box_loss": "train/loss"}) == {"train/loss": [2]}
    assert values_of(curves, {"train/loss": ""}) == {}
    assert values_of(curves, {"not logged": "val/loss"}) == {"train/loss": [1, 1]}


@pytest.mark.parametrize("name", ["train/foo", "loss", " ", "\udc80", "VAL/LOSS"])
def test_an_override_to_no_role_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="the roles are train/loss, "):
        to_roles({}, {"x\ud800": name})
    with pytest.raises(InvalidInput):
        check_overrides({"x": name})
    check_overrides({"x": "", "y": "val/error"})
