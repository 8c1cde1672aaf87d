"""What a pattern can not say: checksums, ranges and shapes, by the names that detectors and policies use.

A validator takes the bytes of the secret as they were found, separators and all, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bastion.masking.validators import checksums, national, shapes

Validator = Callable[[bytes], bool]

BY_NAME: Mapping[str, Validator] = MappingProxyType(
    {
        "luhn": checksums.luhn,
        "mod97": checksums.mod97,
        "iban": checksums.iban,
        "verhoeff": checksums.verhoeff,
        "card": checksums.card,
        "base58check": checksums.base58check,
        "routing-number": checksums.routing_number,
        "us-ssn": national.us_ssn,
        "uk-nino": national.uk_nino,
        "uk-nhs": national.uk_nhs,
        "es-dni": national.es_dni,
        "it-codice-fiscale": national.it_codice_fiscale,
        "fr-nir": national.fr_nir,
        "nl-bsn": national.nl_bsn,
        "pl-pesel": national.pl_pesel,
        "br-cpf": national.br_cpf,
        "in-aadhaar": national.in_aadhaar,
        "fi-hetu": national.fi_hetu,
        "se-personnummer": national.se_personnummer,
        "de-steuer-id": national.de_steuer_id,
        "be-rijksregister": national.be_rijksregister,
        "jwt": shapes.jwt,
        "basic": shapes.basic,
        "email": shapes.email,
        "phone": shapes.phone,
        "phone-international": shapes.phone_international,
        "ipv6": shapes.ipv6,
        "url-password": shapes.url_password,
        "password": shapes.password,
        "bare-password": shapes.bare_password,
        "code-password": shapes.code_password,
        "cased": shapes.cased,
        "mixed": shapes.mixed,
    }
)
NAMES = tuple(BY_NAME)
