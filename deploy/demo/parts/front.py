"""nginx, as the shop runs it: one worker process before the web workers."""

import os
import string
import tempfile

import settings


def write_configuration(folder, listen, upstreams):
    """Replaces nginx's configuration, which it reads when it starts and on SIGHUP."""
    # Of the current release: deploys remove the one that the supervisor was started from.
    template = os.path.join(folder, "current", "nginx.conf")
    with open(template) as file:
        text = string.Template(file.read()).substitute(
            folder=folder,
            listen=settings.show(listen),
            # None is left out for a bad minute: with few workers that costs more than it saves.
            servers="\n".join(f"        server {settings.show(each)} max_fails=0;" for each in upstreams),
        )
    with tempfile.NamedTemporaryFile("w", dir=os.path.join(folder, "run"), delete=False) as file:
        file.write(text)
    os.replace(file.name, path(folder))


def path(folder):
    return os.path.join(folder, "run", "nginx.conf")


def main():
    told = settings.read(__doc__)
    write_configuration(told.folder, told.listen, told.upstream)
    os.execvp("nginx", ["nginx", "-p", told.folder, "-e", "stderr", "-c", path(told.folder)])


if __name__ == "__main__":
    main()
