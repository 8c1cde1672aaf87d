"""An SSH bastion for the age of AI agents: it ends both connections of a jump, judges every command, and records it.

The house, floor by floor. A floor imports only what lies below it; import-linter holds the code to this picture
(the `layers` contract in setup.cfg, exhaustive, so that a new room without a floor is an error).

    cli/         the command `bastion`: one file a subcommand; policies/ has those of `bastion policy`
    demo/        `bastion demo`: a development issuer, a target and a bastion on this one machine
    app          builds everything; the only file that names concrete classes
    serving      the HTTP side, whole: the API's parts joined to what they ask
    keeping      the store, whole: approvals and what is known of sessions, kept up
    reload       what happens when a file of policy, inventory or revocation changes
    config/      bastion.yaml, read strictly

    ssh/         listener, jump, channels, upstream: the only room that imports asyncssh, but for the demo's target
    api/         the HTTP API: its table of routes, who asks (by token, browser or the local socket), one file a
                 resource; policies are judged, and the trail is searched, in processes of their own; console/: files
    store/       SQLite or PostgreSQL, one schema: the only room that imports SQLAlchemy
    sinks/       people and other systems told of requests for approval: signed webhooks, messages for Slack
                                        (ssh, api, store and sinks never import each other)

    session/     one channel's life (service), what passes on it (relay); the registry of live ones, and what ends those
                 that were revoked; the login shells that had to be asked for; gated/: a shell whose every line is
                 judged: editor, script, wire, markers
    gate         login, admit, judge: the only maker of Context and Allowed
    verdicts     what policy says of what is asked, by the shell that will read it and with its script; permits nothing
    asked        what a channel asks for: how it is put to the analysis, and how it is told
    recording/   one recording a channel; mending torn ones; what was asked in past ones
    approvals/   people decide on what is held: request and grant are pure; service asks, waits and counts votes
    context      who, where, whence
    targets/     inventory, keyring (the keys that only the bastion holds), which login shells read right
    kept         what the store keeps beside approvals: sessions, certificates, recordings, as values
    identity/    principal, OIDC verification, the SSH authorities, revocation

    policy/      may it?                 patterns, rules, loader make a model; engine and coverage decide by it;
                                         for authors: explain, cases, compare, schema
    analysis/    what would this text do?  bytes in, commands or "undecidable" out; the printer; profile/ is the
                                         language in which programs/ says what each program does
    masking/     what may be shown?      detectors (data) and validators; plan: what is masked in one session, compiled;
                                         masker: one stream, cut anywhere; columns: named fields of tables
    asciicast/   the format of recordings: encoder, reader, mending a torn end
    audit/       the catalogue of events, the chain, the log; what was asked in past ones
    document     YAML read strictly: every value knows its file, line and column
    watch        files and folders whose change is noticed, also when they are replaced
    notify       what systemd is told: ready, reloading, stopping, still alive
    background   tasks that are held, and whose failure is told; work done again and again, which no error ends
    errors       one tree of errors, split by whose fault; the exit codes
    characters   what a person does not see, or takes for something else, and how it is shown

The way of the data, for `ssh -J bastion deploy@web-1 uptime`:

    stock ssh --outer SSH--> ssh.listener: a proven certificate becomes a Credential (gate.login)
      ssh.jump: direct-tcpip to `web-1` is answered by an inner SSH server      (gate.visible)
        inner login, same certificate, account `deploy` -> Context              (gate.admit)
          ssh.channels: exec `uptime` -> session.service -> gate.judge -> Allowed
            asked -> analysis.shell -> policy.engine; with its script, and as its login shell reads it
            ssh.upstream opens the target, which takes a Context and an Allowed and nothing less
            session.relay: target -> recorder -> client
"""

__version__ = "0.1.0"
