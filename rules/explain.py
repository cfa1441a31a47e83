"""(being written)"""

from language import Message
from rules.model import Rule


def explain(rule: Rule, language: str) -> Message:
    return Message(rule.id)
