"""Moves a whole tree with Python's ftplib: up LOCAL REMOTE, or down REMOTE LOCAL. Login comes from the environment."""

import ftplib
import os
import sys


def up(ftp, local, remote):
    ftp.mkd(remote)
    for entry in sorted(os.scandir(local), key=lambda entry: entry.name):
        target = remote + "/" + entry.name
        if entry.is_dir():
            up(ftp, entry.path, target)
        else:
            with open(entry.path, "rb") as source:
                ftp.storbinary("STOR " + target, source)


def down(ftp, remote, local):
    os.makedirs(local, exist_ok=True)
    if "MLSD" in FEATURES:
        entries = [(name, facts["type"]) for name, facts in ftp.mlsd(remote, ["type"])]
    else:
        lines = []
        ftp.retrlines("LIST -a " + remote, lines.append)
        entries = [(line.split(None, 8)[8], "dir" if line[0] == "d" else "file") for line in lines]
    for name, kind in entries:
        target = os.path.join(local, name)
        if kind == "dir" and name not in (".", ".."):
            down(ftp, remote + "/" + name, target)
        elif kind == "file":
            with open(target, "wb") as sink:
                ftp.retrbinary("RETR " + remote + "/" + name, sink.write)


ftp = ftplib.FTP(timeout=30, encoding="utf-8")
ftp.connect(os.environ["FTP_HOST"], int(os.environ["FTP_PORT"]))
ftp.login(os.environ["FTP_USER"], os.environ["FTP_PASSWORD"])
ftp.set_pasv(os.environ["FTP_DATA"] == "passive")
FEATURES = "MLSD" if "MLST" in ftp.sendcmd("FEAT") else ""
{"up": up, "down": down}[sys.argv[1]](ftp, sys.argv[2], sys.argv[3])
ftp.quit()
