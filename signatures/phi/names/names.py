#!/usr/bin/env python3
"""Makes surnames.txt, given-names.txt and words.txt, by which names in running text are told from other words.

    pip download --no-deps names==0.3.0 simple-icd-10-cm==1.5.0 && unpack both into one folder
    python3 names.py FOLDER TEXT...

Names: US Census Bureau, "Frequently Occurring Surnames and Given Names: 1990" (dist.all.last, dist.male.first,
dist.female.first), public domain, as in PyPI names 0.3.0; and `MORE_GIVEN` below, ours, of those whom few lists of 1990
know. Both lists are in order of frequency, the most frequent first.

Words: all that stand in small letters in running text of the folders TEXT (documentation of an operating system, of
programming languages and of this project), and in the descriptions of ICD-10-CM (CDC/NCHS, public domain); one that is
as often written large is none. A name that is a word too ("may", "young", "price") says less than one that is not.
Only single words and their counts are taken from these texts. Made 2026-11-22.
"""
import collections
import gzip
import pathlib
import re
import sys
import unicodedata

MORE_GIVEN = """
aaliyah aarav aarti abdul abdullah abdulrahman abebe adaeze adebayo adewale aditi aditya adunni agnieszka ahmad ahmed
aidan aiden aiko aileen ainsley aiyana ajay akash akira akua alasdair alejandra aleksander aleksandra alessandra
alessandro alexei ali alina alisha aliyah alok alondra amal amani amara amina amir amit amita amrita ananya anand anders
andrei andrzej aneesh angelica angus anika anil anita anjali anjuli ankit ankita anneliese antoni anton antonella anya
aoife apinya aracely araceli arash archana arianna arjun armaan armando arne arturo arun arvind asha ashok ashwin asif
astrid asuka ateeq aurelio avery avi aya ayaan ayesha ayo ayodele azadeh babajide bao bartholomew bashir beatriz bilal
bilqis binh bjorn blessing bogdan boris brayden brianna bronagh caitlin caleb caoimhe carlota carmela catalina catarina
chandra chen chiara chidi chidinma chika chinedu chinwe chioma chukwuemeka cian cillian ciara colton connor conor
cristian cristina dae dagny dakota daiki daisuke damilola danilo daniela dariusz darnell deepa deepak deepika deja
delphine demetrius deshawn destiny devi devika dhruv diarmuid dieter dilip dimitri dinesh divya dmitri dmitry dominika
duc dung ebony edwina efua eilidh eimear ekaterina elif elena elias elijah elina emeka emilia emiliano emre enrique
erdem esi esperanza eszter ezekiel ezra fabio faisal farah farhan farid fatemeh fatima fatou femi feng fernanda fiona
fionnuala folake freya funmilayo gabriela gabriella gagan ganesh gaurav gavin geeta genevieve giancarlo gianna
giovanni giulia giuseppe gopal goran grainne greta grigori grzegorz guang gulsen gunther gurpreet ha habib hadiza hai
haley hamid hamza han hana hanh hao haruka haruto harpreet harshad hasan hassan heba hemant henrik hideo hien hiroko
hiroshi hoang hong hortencia huda hung hussain hussein huy hye hyun ibrahim ifeoma igor ikechukwu ikram ilona ilse
imani imran inaya indira ines ingrid ioana irina isha ishaan isla ismail itzel ivana iwona jada jaden jagdish jakub
jamal janusz jaroslav jasmeet javon jayden jelena jerzy jia jian jing jiho jin jorgen josue joaquin jun junko juma jyoti
kabir kaito kamal kamala kamau kamila kamran karthik karim katarzyna kateryna kavita kavya kayden kazuo keiko kenji
kenta keshawn khadija khaled khalid khalil khanh kiara kieran kimiko kiran kofi kojo krishna krzysztof kumar kunal kwabena
kwadwo kwaku kwame lakshmi lamar laszlo latisha lakisha latoya latonya leila leilani lena leticia levi li liam lien linh ling ljiljana long lorcan lorena
lucia luciana ludmila lukas magdalena mahesh mahmoud mai maia makayla malak malgorzata malik mamadou manish manoj mansi
marek margarita maribel mariam mariama marisol marquis marta maryam masako matteo mateo mateusz maya meena meera mehdi mehmet
mei meiling melek mercedes meseret mihai mika mikhail milagros milan milena milica min minh ming mira mireya mirjana
moana mohamad mohamed mohammad mohammed mohan moises monique mostafa muhammad muhammed mukesh mustafa nabil nadeem nadia
naveed naveen neema neha nevaeh ngoc ngozi nguyet nhung nia niamh nikhil nikita nikola niko nilufar nisha nishant nita
nkechi nnamdi noor noora nuala nur obinna octavio oksana ola olamide olena olga olivier olu oluwaseun oluwatobi omar
omari orla oscar osei otilia padma padraig pallavi pankaj paola parisa parth parvati pavel pawel pedro petra petr
philippa phuong pierre piotr pooja prabhu pradeep prakash pranav prasad prashant pratik praveen preeti priya priyanka
qasim quang quentin quoc radha radmila rafael rafiq raghu rahul raj raja rajan rajesh rajiv raju rakesh ram ramesh
rania rashad rashid rashida ravi raviv rehana rekha renata reza rigoberto rishi ritu rivka riya rohan rohit rosalba
rosario roshni rowan ruben ruchi rukhsana ruth saad saanvi saba sabrina sadia saeed said saidou salim salma salman samir
samira sana sandeep sandhya sangeeta sanjana sanjay sanjeev santiago saoirse sapna sara sarita satish satoshi saul sayed
sean sebastian seo serhiy sergei serkan shabnam shahid shanice shaniqua shanti sharmila shashi shauna shilpa shinji
shiv shiva shoshana shreya shruti shyam sibusiso siddharth sigrid silvia simone sinead siobhan sita sneha soren sofia
soledad sonal sophia sophie soo stanislav stefan stefano stephane sudha sudhir suman sumit sunil sunita suresh sushil
sushma sven svetlana swati syed tadashi tae taiwo takeshi tamar tamika tanisha tanvi tariq tarun tatiana tendai
tenzin thabo thanh thao themba thi thiago thomasina thu thuy tiago tianna tien tomas tomasz tomoko trang treasa trung
tuan tunde tuyet tyrese uche uchenna umar uma usha usman uzma vanja varun vasilios venkat venkatesh vera vicente vijay
vikas vikram vinay vinod vipul viktor vishal vivek vladimir volodymyr wafa waleed wangari wei weronika wieslaw wilhelmina
wojciech xavier xia xiao xiaoming ximena xin xinyi xiomara xochitl yaa yadira yan yang yash yasmin yasmine yara yaw yejide yen
yesenia yetunde yevgeny ying yolande yosef yoshiko youssef yuan yue yuki yuko yulia yuliya yuri yusuf zahra zainab
zara zawadi zdenek zeinab zeynep zhang zhen zhi zofia zoe zoya zsofia zuberi zuleika zuzana
aubrey ava braxton brody bryce cayden chloe cody colby cooper easton elliot emerson everly finley gage grayson greyson
hadley harper hudson hunter isaiah jace jaxon jayla jocelyn jordyn josiah kaitlyn kai kaylee kendall kennedy kinsley
kylie landon lila lilly lincoln luna mackenzie madelyn makenna mckenzie mila nolan nova owen paisley parker peyton
piper quinn reagan reese riley ryder sadie savannah sawyer scarlett serenity skylar stella tate trinity wyatt zachariah
"""

# User names in documentation, and surnames of trades.
NO_WORDS = """ada alice bert della hubert iris lang nix pam polly sofia steward vera walker foster"""


def census(folder, name):
    lines = (folder / "names" / name).read_text().split("\n")
    return [(float(fields[1]), fields[0].lower()) for fields in map(str.split, lines) if fields]


def plain(text):
    """Without accents: as names are looked up."""
    return "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))


def count_words(texts):
    """How often each word stands in small letters, and with a capital inside a sentence."""
    small, large = collections.Counter(), collections.Counter()
    for text in texts:
        small.update(re.findall(r"(?<![\w./@'\\$%<-])[a-z]{3,14}(?=[ ,;]| *$|[.:)](?:\s|$))", text, re.M))
        large.update(word.lower() for word in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,14}(?![\w/@=-])", text))
    return small, large


def running_text(folders):
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or "changelog" in path.name.lower() or path.stat().st_size > 2_000_000:
                continue
            if path.suffix == ".gz":
                text = gzip.decompress(path.read_bytes()).decode(errors="ignore")
            elif path.suffix in (".txt", ".md", ".rst", ".html", ""):
                text = path.read_text(errors="ignore")
            else:
                continue
            yield re.sub(r"<(script|style|pre|code)\b.*?</\1>|<[^>]*>", " ", text, flags=re.S) if path.suffix == ".html" else text


def write(name, head, words):
    lines, line = [f"# {part}" for part in ["Made by names.py, which says from what; do not edit.", head]], ""
    for word in words:
        if len(line) + len(word) > 118:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{word}"
    pathlib.Path(name).write_text("\n".join([*lines, line, ""]))
    print(name, len(words), "words,", pathlib.Path(name).stat().st_size, "bytes")


def main():
    folder, *texts = map(pathlib.Path, sys.argv[1:])
    surnames = [name for _, name in census(folder, "dist.all.last")]
    frequency = collections.Counter()
    for share, name in census(folder, "dist.male.first") + census(folder, "dist.female.first"):
        frequency[name] = max(frequency[name], share + 0.0001)
    for name in MORE_GIVEN.split():
        frequency[name] = max(frequency[name], 0.01)
    given = sorted(frequency, key=lambda name: (-frequency[name], name))

    small, large = count_words(running_text(texts))
    medical = collections.Counter()
    descriptions = next(folder.rglob("*tabular*.xml"))
    for text in re.findall(r"<(?:desc|note)>(.*?)</", descriptions.read_text()):
        # The first word of a description is written large whatever it is.
        medical.update(re.findall(r"(?<=[ (])[a-z]{3,16}(?=[ ,;)]|$)", text))
    names = set(surnames) | set(given)
    words = set()
    for word in (set(small) | set(medical)) - set(NO_WORDS.split()):
        count = small[word] + 4 * medical[word]
        # A name needs more proof, for texts hold user names too.
        least, share = (8, 0.4) if word in names else (3, 0.2)
        if count >= least and count >= share * (count + large[word]):
            words.add(word)
    write("surnames.txt", "Surnames by frequency.", [name for name in surnames if len(name) > 1])
    write("given-names.txt", "Given names by frequency.", given)
    write("words.txt", "Words that are written small.", sorted(words))
    both = [name for name in given[:1500] if name in words]
    print("given names that are words:", " ".join(both))
    print("surnames that are words:", " ".join(name for name in surnames[:1200] if name in words))


main()
