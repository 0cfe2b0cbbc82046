// Takes the steps of a file with node's basic-ftp.
const fs = require("fs");
const { Client } = require("basic-ftp");

async function main() {
    const client = new Client(30000);
    await client.access({
        host: process.env.FTP_HOST,
        port: Number(process.env.FTP_PORT),
        user: process.env.FTP_USER,
        password: process.env.FTP_PASSWORD,
    });
    for (const line of fs.readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
        const [step, one, two] = line.split("\t");
        if (step === "put") await client.uploadFrom(one, two);
        else if (step === "put-on") await client.appendFrom(one, two, { localStart: await client.size(two) });
        else if (step === "get") await client.downloadTo(two, one);
        else if (step === "get-on") await client.downloadTo(two, one, fs.statSync(two).size);
        else if (step === "rename") await client.rename(one, two);
        else if (step === "delete") await client.remove(one);
        else throw new Error("no such step: " + step);
    }
    client.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
