"""An invented shop's rules, for the tour: nothing here is a real shop."""


def zh(what):
    return [f"{what}？", f"请问{what}？", f"你好，{what}？", f"我想问{what}？", f"问一下，{what}？", f"客服，{what}？"]


def en(what):
    return [f"{what}?", f"Hello, {what[0].lower() + what[1:]}?", f"Please tell me: {what[0].lower() + what[1:]}?", f"A question: {what[0].lower() + what[1:]}?", f"Hi, {what[0].lower() + what[1:]}?", f"Excuse me, {what[0].lower() + what[1:]}?"]


ZH = [(a, zh(q)) for q, a in [("多久发货", "两天内发货"), ("退货要几天内", "七天内"), ("保修多久", "一年"), ("运费多少钱", "满50元包邮"), ("几点营业", "上午9点到下午6点"), ("怎么付款", "手机支付"), ("可以开发票吗", "可以，在订单页申请"), ("怎么改收货地址", "发货前联系客服"), ("退款多久到账", "三个工作日"), ("有优惠券吗", "注册会员就有"), ("尺码不对怎么办", "免费换货一次"), ("怎么查物流", "打开订单看快递"), ("忘了密码怎么办", "用邮箱找回"), ("收到坏的怎么办", "拍照联系客服"), ("可以送到国外吗", "现在不可以"), ("积分有什么用", "可以换折扣")]]
EN = [(a, en(q)) for q, a in [("When do you ship", "within two days"), ("How long can I return", "seven days"), ("How long is the warranty", "one year"), ("How much is shipping", "free over 50 dollars"), ("When are you open", "9 am to 6 pm"), ("How can I pay", "by phone or card"), ("Can I get an invoice", "yes, on the order page"), ("How do I change the address", "contact us before shipping"), ("When do I get the refund", "in three working days"), ("Do you have a coupon", "register as a member"), ("What if the size is wrong", "one free exchange"), ("How do I track the parcel", "open the order page"), ("I lost my password, what now", "reset it by email"), ("What if it arrives broken", "send us a picture"), ("Do you ship to other countries", "not now"), ("What are the points for", "a discount")]]
