"""Configs and checkpoints of runs written by earlier versions, as this version has them."""

from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

_RENAMED = {
    "hudyn.data.CheckGridDataModule": "hudyn.tasks.check.CheckGridDataModule",
    "hudyn.data.KMNISTDataModule": "hudyn.tasks.characters.KMNISTDataModule",
    "hudyn.data.SequenceDataModule": "hudyn.tasks.sequences.SequenceDataModule",
    "hudyn.modules.GridClassifier": "hudyn.tasks.check.GridClassifier",
    "hudyn.modules.ImageClassifier": "hudyn.tasks.characters.ImageClassifier",
    "hudyn.modules.SequencePredictor": "hudyn.tasks.sequences.SequencePredictor",
    "hudyn.callbacks.Progress": "hudyn.run.progress.Progress",
    "hudyn.callbacks.Results": "hudyn.run.history.History",
    "hudyn.callbacks.Checkpoint": "hudyn.run.checkpoint.Checkpoint",
    "hudyn.loggers.TensorBoard": "hudyn.run.loggers.TensorBoard",
}
_REPORTERS = {
    "hudyn.callbacks.ImageReporter": ("evaluation", "hudyn.tasks.characters.report_characters"),
    "hudyn.callbacks.GridReporter": ("evaluation", "hudyn.tasks.check.report_check"),
    "hudyn.callbacks.SequenceReporter": ("evaluation", "hudyn.tasks.sequences.report_sequences"),
    "hudyn.callbacks.DynamicsReporter": ("dynamics", "hudyn.tasks.sequences.report_dynamics"),
}


def upgraded(config: DictConfig) -> DictConfig:
    """A run's config with today's names; reports that were callbacks move to ``report``."""
    with open_dict(config):
        config.setdefault("experiment", config.get("name", ""))
        config.setdefault("expected", "")
        config.setdefault("sweep", "auto")
        if "report" in config:
            return config
        for settings in (config.data, config.model, *config.callbacks.values(), *config.logger.values()):
            settings._target_ = _RENAMED.get(settings._target_, settings._target_)
        callbacks, reports = {}, {}
        for key, settings in config.callbacks.items():
            if settings._target_ in _REPORTERS:
                name, target = _REPORTERS[settings._target_]
                reports[name] = OmegaConf.merge(settings, {"_target_": target, "_partial_": True})
            else:
                callbacks["history" if key == "results" else key] = settings
        config.callbacks, config.report = callbacks, reports
    return config


def upgraded_checkpoint(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint whose callbacks go by today's names."""
    callbacks = checkpoint.get("callbacks", {})
    if "Results" in callbacks:
        callbacks["History"] = callbacks.pop("Results")
    return checkpoint
