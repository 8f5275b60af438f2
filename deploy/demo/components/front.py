"""nginx as the shop runs it: a reverse proxy for the web workers, with one worker process."""

import os
import string
import tempfile

import settings


def write_configuration(folder, listen, upstreams):
    """Replaces nginx's configuration, which nginx reads at start and on SIGHUP."""
    # Use the current release's template: deploys remove the release that the supervisor runs from.
    template = os.path.join(folder, "current", "nginx.conf")
    # `max_fails=0`: with so few workers, leaving one out after a failure costs more than it saves.
    servers = [f"        server {settings.format_address(each)} max_fails=0;" for each in upstreams]
    with open(template) as file:
        text = string.Template(file.read()).substitute(
            folder=folder, listen=settings.format_address(listen), servers="\n".join(servers)
        )
    with tempfile.NamedTemporaryFile("w", dir=os.path.join(folder, "run"), delete=False) as file:
        file.write(text)
    os.replace(file.name, path(folder))


def path(folder):
    return os.path.join(folder, "run", "nginx.conf")


def main():
    args = settings.parse_arguments(__doc__)
    write_configuration(args.folder, args.listen, args.upstream)
    os.execvp("nginx", ["nginx", "-p", args.folder, "-e", "stderr", "-c", path(args.folder)])


if __name__ == "__main__":
    main()
