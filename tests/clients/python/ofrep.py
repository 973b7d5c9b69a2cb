"""Evaluates flags through OpenFeature's SDK and its OFREP provider from PyPI.

    python ofrep.py BASE_URL TOKEN QUESTIONS

QUESTIONS is a JSON list of {key, type, default, context}; a JSON list of what the SDK answers is printed.
"""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

METHODS = {
    "boolean": "get_boolean_details",
    "string": "get_string_details",
    "number": "get_float_details",
    "object": "get_object_details",
}


def main(base_url, token, questions):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    api.set_provider(OFREPProvider(base_url, headers_factory=lambda: headers))
    client = api.get_client()
    answers = []
    for question in json.loads(questions):
        context = dict(question["context"])
        asked = EvaluationContext(context.pop("targetingKey", None), context)
        details = getattr(client, METHODS[question["type"]])(question["key"], question["default"], asked)
        answers.append(
            {
                "key": question["key"],
                "value": details.value,
                "variant": details.variant,
                "reason": details.reason,
                "errorCode": details.error_code,
            }
        )
    print(json.dumps(answers))
    api.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
