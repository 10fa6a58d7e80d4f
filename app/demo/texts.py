"""What people say at the desk of an aesthetic hospital: the Chinese texts of the demo.

Prices follow the list of the white paper (REF-4); nothing here promises a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Topic:
    """What one item of an appointment is about: what is asked for and what is quoted for it, what worries people,
    which department it is for and who treats it."""

    item: str
    weight: int
    wishes: tuple[tuple[str, str], ...]
    worries: tuple[str, ...]
    department: str
    doctor: str = "doctor"


TOPICS: tuple[Topic, ...] = (
    Topic(
        "eyes",
        20,
        (
            ("想做双眼皮，单眼皮偏肿", "全切去皮去脂7800元"),
            ("咨询全切双眼皮和三点微创的区别", "三点微创5600元，全切7800元"),
            ("想祛眼袋，最近显得很疲惫", "内切眼袋6800元，外切9800元"),
            ("之前在外院做的双眼皮不对称，想修复", "重睑修复18800元起"),
            ("想开内眼角，眼距偏宽", "开眼角4200元，同做双眼皮可再议"),
            ("眼皮下垂睁眼无力，咨询提肌", "上睑下垂矫正15800元"),
        ),
        ("担心恢复期太长影响上班", "担心留疤，朋友做完疤痕明显", "怕做得不自然", "问是否需要拆线、几天能化妆"),
        "D14",
    ),
    Topic(
        "nose",
        12,
        (
            ("鼻梁低，想做隆鼻", "硅胶假体加耳软骨12500元"),
            ("咨询鼻综合，鼻头圆钝", "肋软骨鼻综合35000元起，麻醉另计"),
            ("想了解膨体隆鼻", "膨体隆鼻22800元"),
            ("想取出以前的鼻假体", "假体取出4800元，重做另计"),
            ("鼻翼偏宽，想做鼻翼缩小", "鼻翼缩小6800元"),
        ),
        ("担心透光和歪斜", "怕全麻，问能不能局麻", "担心恢复期肿胀明显，下月要拍婚纱照"),
        "D14",
    ),
    Topic(
        "contour",
        5,
        (
            ("想改善下颌角偏宽", "下颌角58000元，需住院并做术前体检"),
            ("下巴短，咨询假体隆颏", "隆颏9800元"),
            ("颧骨高，想了解颧骨降低术", "颧骨降低62000元，住院3天左右"),
            ("咨询颊脂垫去除", "颊脂垫去除6800元"),
        ),
        ("担心手术风险和恢复时间", "怕术后面部松弛", "家人不太支持，想先面诊拍片"),
        "D14",
    ),
    Topic(
        "breast",
        4,
        (
            ("产后胸部萎缩，咨询假体隆胸", "圆形假体48000元，水滴形68000元"),
            ("想了解自体脂肪隆胸和假体的区别", "自体脂肪单侧200毫升28000元"),
            ("咨询乳头内陷矫正", "乳头内陷单侧4800元"),
        ),
        ("担心以后哺乳和体检受影响", "担心恢复期和疼痛", "希望女医生接待"),
        "D14",
    ),
    Topic(
        "liposuction",
        7,
        (
            ("腰腹赘肉，运动减不下来，咨询吸脂", "腰腹环吸42000元"),
            ("大腿粗，想做环吸", "大腿环吸32000元"),
            ("双下巴明显，咨询面部吸脂", "面部吸脂9800元"),
        ),
        ("担心皮肤凹凸不平", "问塑身衣要穿多久、几天能上班", "怕反弹，问术后饮食要求"),
        "D14",
    ),
    Topic(
        "fat_grafting",
        4,
        (
            ("太阳穴和苹果肌凹陷，咨询脂肪填充", "局部填充按部位面诊后报价"),
            ("全面部填充想显年轻", "全面部脂肪填充38000元，含PRP"),
        ),
        ("担心存活率，问要做几次", "怕填充过度显胖"),
        "D14",
    ),
    Topic(
        "anti_ageing",
        8,
        (
            ("法令纹加重，咨询热玛吉", "热玛吉900发28800元，可现场扫码验真"),
            ("想做超声炮提升下颌缘", "超声炮全面部加下颌缘19800元"),
            ("皮肤松弛，对比线雕和射频", "射频单次2980元，线雕19800元"),
        ),
        ("担心疼痛，问是否敷麻药", "担心仪器不是正品，想现场验码", "问能维持多久、间隔多长时间"),
        "D16",
        "therapist",
    ),
    Topic(
        "injection",
        14,
        (
            ("想打瘦脸针，咬肌明显", "进口100单位4980元，国产1980元"),
            ("咨询除皱针，抬头纹川字纹", "除皱单部位1280元"),
            ("想打玻尿酸填充泪沟", "国产玻尿酸1680元一支，进口6800元"),
            ("咨询水光针补水", "水光针单次1280元，三次疗程3280元"),
        ),
        ("第一次打，担心副作用", "要求当面拆封验货", "备孕中，问多久不能打", "问维持多久、要不要忌口"),
        "D16",
        "therapist",
    ),
    Topic(
        "skin",
        14,
        (
            ("脸上长斑，咨询皮秒祛斑", "皮秒全脸3980元"),
            ("毛孔粗大、出油，咨询光子嫩肤", "光子嫩肤单次1580元，五次疗程5980元"),
            ("痘坑多年，想做点阵激光", "点阵激光3280元一次，一般需要3次以上"),
            ("敏感肌泛红，想先做皮肤检测", "皮肤检测免费，方案面诊后定"),
        ),
        ("担心反黑，夏天能不能做", "问做完几天能化妆上班", "之前在美容院做过刷酸，皮肤变薄"),
        "D15",
        "therapist",
    ),
    Topic(
        "hair_removal",
        5,
        (
            ("咨询腋下冰点脱毛", "腋下五次1680元"),
            ("想做四肢脱毛，夏天前做完", "四肢五次4980元"),
        ),
        ("怕疼，问会不会影响出汗", "问几次能干净、间隔多久"),
        "D15",
        "therapist",
    ),
    Topic(
        "hair",
        2,
        (
            ("发际线高，咨询种发", "每单位12元，一般1500到2500单位"),
            ("头顶稀疏，想了解毛发移植", "每单位12元，面诊测毛囊后再定单位数"),
        ),
        ("担心成活率，问取发区会不会留痕", "工作忙，问几天可以洗头"),
        "D14",
    ),
    Topic(
        "dental",
        4,
        (
            ("牙齿发黄，咨询冷光美白", "冷光美白1980元"),
            ("想做隐形矫正，门牙有缝", "隐形矫正32000元，可分阶段付款"),
            ("缺一颗后牙，咨询种植", "种植牙进口9800元一颗"),
            ("预约洗牙", "超声洁牙298元"),
        ),
        ("怕酸痛，牙齿本来就敏感", "问要来几次、每次多久"),
        "D17",
        "dentist",
    ),
    Topic(
        "intimate",
        1,
        (("产后咨询私密修复", "需面诊检查后报价，电话不报具体价格"),),
        ("希望女医生、单独候诊，注意保密",),
        "D14",
    ),
)

#: Results of a first contact that led to no appointment yet.
UNDECIDED = (
    "已加微信，发了案例和价格，说考虑一下",
    "客户正在对比几家，约定周末再联系",
    "说和家人商量后回复，请不要中午打电话",
    "已介绍医生资质，客户暂时没有时间",
    "发了地址和停车信息，客户说下月再定",
    "嫌价格高，等活动时再通知",
)
AGREED = (
    "同意到院面诊，已说明来院时间和地址",
    "已约面诊，提醒带身份证、素颜到院",
    "客户满意答复，当场定了到院时间",
    "约好周边停车位，有朋友陪同",
)
AGAIN_ASKS = (
    "再次来电确认医生出诊时间",
    "来电问停车和地铁路线",
    "问活动价是否还有效",
    "补充说对利多卡因没有过敏史，问是否需要空腹",
    "问面诊要不要收费，能否先看案例",
    "来电说这周有空，想定个时间",
)
AGAIN_OUTCOMES = (
    "已答复，客户表示清楚",
    "已答复并发了定位",
    "已重新约时间",
    "记录需求，转告现场咨询师",
    "约好晚上再通话",
)
REBOOK_ASKS = (
    "临时出差，想改时间",
    "孩子生病，需要往后推几天",
    "身体不舒服，想改到下周",
    "周末人多，想换工作日",
    "生理期，改期再来",
)

#: Contacts without a customer: business category, weight, texts and results. R-2.1.1-1.
STRANGERS: tuple[tuple[str, int, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "wrong_number",
        20,
        ("打错电话，找快递公司", "要找隔壁的牙科诊所，打错了", "误拨，对方道歉后挂断"),
        ("已说明，无需跟进",),
    ),
    ("silent", 15, ("接通后无人说话", "信号差，听不清，对方挂断"), ("回拨无人接听", "等待对方再次来电")),
    (
        "job_application",
        14,
        ("应聘美容护士，有执业证，三年经验", "应聘电话咨询师，做过教育咨询", "问前台岗位是否还在招"),
        ("请发简历到人力资源部邮箱", "已转人力资源部"),
    ),
    ("advertising", 15, ("推销短视频代运营", "推销办公设备租赁", "推销企业贷款"), ("已婉拒",)),
    (
        "address",
        12,
        ("问医院地址和营业时间", "问地铁几号口出来最近", "问院内有没有停车位"),
        ("已告知地址：到院请走正门", "已发定位短信"),
    ),
    ("partnership", 6, ("美容院老板想谈合作分成", "健身房希望互相推荐会员"), ("已记录，转渠道部联系",)),
    ("transfer", 9, ("找前几天接待的咨询师", "找住院部护士站", "找财务核对发票"), ("已转接", "当事人不在，已留言")),
    (
        "item_enquiry",
        9,
        ("匿名咨询，不愿留姓名和电话", "学生，先了解一下，未满18岁"),
        ("未留联系方式", "已说明未成年需监护人陪同"),
    ),
)
MISSED_OUTCOMES = ("振铃后客户挂断", "高峰期未接通", "午休时段未接")

#: Feedback of follow-up plans by the rule that made them.
FEEDBACK: dict[str, tuple[str, ...]] = {
    "slip_reminder": (
        "已提醒，客户确认准时到院",
        "已提醒，提示素颜、带身份证，客户说和朋友一起来",
        "电话未接，已发短信和微信提醒，客户回复收到",
        "客户说可能晚到半小时，已备注",
        "已提醒术前不要化妆，客户表示知道了",
    ),
    "slip_lapsed": (
        "客户临时加班没来，说下周再约",
        "客户在别家已做，暂不考虑",
        "家人不同意，还在商量，两周后再联系",
        "天气不好没出门，愿意重新约",
        "电话未接，已加微信留言",
        "嫌路远，问浦东有没有分院，已介绍",
    ),
    "missed_call": (
        "已回拨，咨询项目和价格，加了微信",
        "回拨两次未接，已发短信",
        "已回拨，打错电话",
        "已回拨，问营业时间，已告知",
        "已回拨，客户约晚上再谈",
    ),
}

VOID_REASONS = (
    "客户电话取消，暂不考虑",
    "重复下单，保留另一张",
    "客户怀孕，近期不能做项目",
    "电话多次无法接通，经主管同意作废",
    "客户已在外院手术",
    "到院时间登记错误且客户不再来",
    "同行探价，非真实客户",
)
REMARKS = (
    "客户比较敏感，请安排安静的面诊室",
    "由妹妹陪同，妹妹也可能咨询",
    "第一次到院，请导诊在门口接一下",
    "开车来，需要停车券",
    "午后低血糖，备糖水",
    "要求看医生执业证",
)
NOTES = (
    "中午12点到14点不要打电话",
    "只用微信联系，不方便接电话",
    "晚上7点以后联系",
    "不要提医院名字，家人不知道",
    "在外企上班，工作日请发短信",
)
SEARCH_WORDS = (
    "上海双眼皮",
    "热玛吉价格",
    "上海隆鼻哪家好",
    "皮秒祛斑",
    "瘦脸针多少钱",
    "吸脂恢复期",
    "徐汇整形医院",
    "浦东医美",
    "光子嫩肤一次多少钱",
)
LANDING_PAGES = ("/yanbu/", "/bibu/", "/pifu/guangzi/", "/kangshuai/remaji/", "/zhushe/shoulian/", "/huodong/")
ALIASES = ("小姐", "女士", "姐", "美女")
NICKNAMES = (
    "糖糖",
    "小鹿",
    "Amy",
    "月亮",
    "可乐",
    "Vivian",
    "安安",
    "柚子",
    "小满",
    "Coco",
    "阿May",
    "七七",
    "小雨点",
    "Linda",
)


@dataclass(frozen=True)
class Wish:
    """What one customer wants, what she worries about, and what was quoted to her."""

    asked: str
    worry: str
    quote: str


def wish_about(random: Random, topic: Topic) -> Wish:
    """Return a wish about a topic, with a quote that fits it."""
    asked, quote = random.choice(topic.wishes)
    return Wish(asked, random.choice(topic.worries), quote)


def call_text(wish: Wish) -> str:
    """Return what was said in a first contact."""
    return f"{wish.asked}。{wish.worry}。"


def need_text(random: Random, wish: Wish) -> str:
    """Return the needs for a slip."""
    extra = random.choice(
        ("", "", "希望专家面诊。", "预算不高，先面诊再定。", "看过案例，比较认可。", "同时在对比另外两家。")
    )
    return f"{wish.asked}；{wish.worry}。{extra}"


def quoted_text(random: Random, wish: Wish) -> str:
    """Return what was promised and quoted for a slip; never a promise of results."""
    extra = random.choice(("面诊免费。", "最终价格以面诊方案为准。", "到院可参加当月活动。", "未承诺效果。", ""))
    return f"{wish.quote}。{extra}"


def chat_text(said: str, wish: Wish) -> str:
    """Return a short web chat around what was said."""
    return (
        f"客户：你好，在吗？\n客服：您好，请问想了解哪方面？\n客户：{said}\n"
        f"客服：{wish.quote}，具体以面诊为准，方便留个联系方式吗？\n客户：好的。"
    )
