"""The OpenAPI document of the example server, for a validator that others wrote, and against the metadata."""

import os

import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

from checks import Checks

ISSUER = os.environ["GRANTOR_ISSUER"]
PAGES = {"authorization_endpoint", "end_session_endpoint"}

check = Checks("openapi")


def mistakes(document):
    return [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]


document = requests.get(ISSUER + "/openapi.json", timeout=10).json()
check.equal("the document is valid", mistakes(document), [])

metadata = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
endpoints = [name for name in metadata if name.endswith("_endpoint") and name not in PAGES]
check.equal("there are endpoints", "token_endpoint" in endpoints, True)
for name in endpoints:
    check.equal(f"it has the {name}", metadata[name].removeprefix(ISSUER) in document["paths"], True)
flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"]
check.equal("where a code begins", flow["authorizationUrl"], metadata["authorization_endpoint"])
check.equal("where it is redeemed", flow["tokenUrl"], metadata["token_endpoint"])

del document["paths"]["/token"]["post"]["requestBody"]["content"]
check.equal("the validator refuses a request body without content", len(mistakes(document)), 1)
check.done()
