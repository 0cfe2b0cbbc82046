# Takes the steps of a file with Python's ftplib.
import os
import sys
from ftplib import FTP

ftp = FTP(timeout=30)
ftp.encoding = "utf-8"
ftp.connect(os.environ["FTP_HOST"], int(os.environ["FTP_PORT"]))
ftp.login(os.environ["FTP_USER"], os.environ["FTP_PASSWORD"])
ftp.set_pasv(os.environ["FTP_PASSIVE"] == "1")
for line in open(sys.argv[1], encoding="utf-8"):
    step, one, two = line.rstrip("\n").split("\t")
    if step == "put":
        with open(one, "rb") as local:
            ftp.storbinary("STOR " + two, local)
    elif step == "put-on":
        ftp.voidcmd("TYPE I")
        there = ftp.size(two)
        with open(one, "rb") as local:
            local.seek(there)
            ftp.storbinary("STOR " + two, local, rest=there)
    elif step == "get":
        with open(two, "wb") as local:
            ftp.retrbinary("RETR " + one, local.write)
    elif step == "get-on":
        with open(two, "ab") as local:
            ftp.retrbinary("RETR " + one, local.write, rest=local.tell())
    elif step == "rename":
        ftp.rename(one, two)
    elif step == "delete":
        ftp.delete(one)
    else:
        sys.exit("no such step: " + step)
ftp.quit()
