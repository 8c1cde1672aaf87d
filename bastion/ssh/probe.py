"""Is a target there, and is it the one that is pinned? For `bastion doctor`: nobody logs in."""

from __future__ import annotations

import asyncio

import asyncssh

from bastion.errors import TargetDown
from bastion.ssh import algorithms
from bastion.targets.target import Target

USER = "bastion-doctor"
"""A name that no account should have: what is wanted is the refusal that follows a host key that was accepted."""


def probe(target: Target, seconds: float) -> str:
    """What a reachable target shows, in words. TargetDown when it is not there, or not the one that is pinned."""
    return asyncio.run(_probe(target, seconds))


async def _probe(target: Target, seconds: float) -> str:
    pinned: tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]] = (
        [asyncssh.import_public_key(line) for line in target.host_keys],
        [asyncssh.import_public_key(line) for line in target.host_cas],
        [],
    )
    try:
        async with asyncio.timeout(seconds):
            connection = await asyncssh.connect(
                target.host,
                target.port,
                config=None,
                username=USER,
                known_hosts=pinned,
                client_keys=None,
                agent_path=None,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_auth=False,
                gss_kex=False,
                kex_algs=algorithms.KEY_EXCHANGE,
                encryption_algs=algorithms.CIPHERS,
                mac_algs=algorithms.MACS,
                compression_algs=algorithms.COMPRESSION,
                signature_algs=algorithms.SIGNATURES,
                client_version="bastion",
            )
    except asyncssh.PermissionDenied:
        return "its host key is the pinned one"
    except asyncssh.HostKeyNotVerifiable as error:
        raise TargetDown("it shows another host key than the pinned ones") from error
    except asyncssh.KeyExchangeFailed as error:
        raise TargetDown("it offers no algorithm that the bastion accepts") from error
    except TimeoutError as error:
        raise TargetDown(f"no answer within {seconds:g} seconds") from error
    except OSError as error:
        raise TargetDown(f"can not be reached: {error.strerror or error}") from error
    except asyncssh.Error as error:
        raise TargetDown(f"does not speak SSH as it should: {type(error).__name__}") from error
    connection.abort()
    return "its host key is the pinned one, but it lets anyone in without a key"
